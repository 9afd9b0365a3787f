/** Images that are fetched while their machines boot: one attempt a deploy, and its failure is told at once. */
import type { ImageRequest } from '../../images/images.ts'
import type { Parts } from '../parts/parts.ts'
import { tellProgress } from './task.ts'

export type Prefetches = { begin(request: ImageRequest): void }

export function createPrefetches(
  parts: Pick<Parts, 'images' | 'background' | 'log'>,
  onFailure: (uuid: string, error: unknown) => void,
): Prefetches {
  const underWay = new Map<string, AbortSignal>()
  return {
    begin(request) {
      const uuid = request.node_uuid
      const signal = parts.background.signalOf(uuid)
      if (underWay.get(uuid) === signal) return
      underWay.set(uuid, signal)
      parts.background.run('prefetch of an image', uuid, async () => {
        try {
          await parts.images.resolve({ ...request, signal, progress: tellProgress(parts, uuid) })
        } catch (error) {
          if (!signal.aborted) onFailure(uuid, error)
        } finally {
          if (underWay.get(uuid) === signal) underWay.delete(uuid)
        }
      })
    },
  }
}
