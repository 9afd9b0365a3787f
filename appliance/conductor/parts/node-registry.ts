/** What the conductor asks of the registry mirror for its nodes. Types, and how nodes are called there. */
import type { ContainerAccess, ContainerImage, ContainerRegistry, PullSecret } from '../../plugin-api/index.ts'

/** What serve hands in. Owners are nodes: node:<uuid>. */
export type NodeRegistry = {
  readSecret: ContainerRegistry['readSecret']
  inspect: ContainerRegistry['inspect']
  hold(
    image: ContainerImage,
    o: {
      owner: string
      secret?: PullSecret
      with?: readonly string[]
      bound_in?: string
      signal?: AbortSignal
      progress?(done_bytes: number, total_bytes: number): void
    },
  ): Promise<void>
  /** All that the owner holds. */
  release(owner: string): Promise<unknown>
  /** The owner's tickets are worth nothing any more. */
  revoke(owner: string): Promise<void>
  access(
    image: Pick<ContainerImage, 'reference'>,
    o: { owner: string; for?: 'deploy' | 'host'; until?: AbortSignal },
  ): Promise<ContainerAccess>
}

export const ownerOf = (uuid: string) => `node:${uuid}`
