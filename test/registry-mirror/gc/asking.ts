/** What these tests ask a running registry by its socket, as the commands do, and how they look at its disk. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Counts } from '@appliance/ground/jobs'
import type { AdminRequest } from '../../../registry-mirror/admin/admin.ts'
import { askRunning } from '../../../registry-mirror/admin/admin-socket.ts'
import type { Listed } from '../../../registry-mirror/admin/list.ts'
import { imageIn, type Json, pushManifest, sha256, type TestRegistry } from '../registry.ts'

export async function ask(registry: TestRegistry, request: AdminRequest): Promise<Json> {
  const answer = await askRunning(registry.folder, request, () => {})
  if (answer === undefined) throw new Error('no registry runs there')
  return answer as Json
}

export async function run(registry: TestRegistry, job: string, options: Record<string, number> = {}): Promise<Counts> {
  return (await ask(registry, { ask: 'run', job, options })).counts as Counts
}

export const list = async (registry: TestRegistry, under?: string): Promise<Listed[]> =>
  (await ask(registry, { ask: 'list', ...(under && { under }) })).list as Listed[]

export const pathOf = (registry: TestRegistry, digest: string) =>
  join(registry.folder, 'blobs', digest.replace(':', '/'))
export const isKept = (registry: TestRegistry, digest: string) => existsSync(pathOf(registry, digest))

/** Pushes an image under a tag. @returns the digests of its manifest and its blobs */
export async function pushImage(registry: TestRegistry, name: string, reference?: string, more: Json = {}) {
  const text = await imageIn(registry, name, more)
  const { status } = await pushManifest(registry, { name, reference: reference ?? sha256(text) }, text)
  if (status !== 201) throw new Error(`pushing a manifest was answered with ${status}`)
  const { layers } = JSON.parse(text) as { layers: { digest: string }[] }
  return { text, digest: sha256(text), layers: layers.map(({ digest }) => digest) }
}
