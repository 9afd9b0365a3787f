/** Work on a node that waits until nobody else has it. */
import { NotFound } from '../../errors.ts'
import type { Parts } from '../parts/parts.ts'

type Given = {
  what: string
  work: () => Promise<void>
  /** Called when the node is free, or will never be. */
  onFree: (() => void) | undefined
}

/** Runs `work` in the background as soon as the node is free, unless its procedure has ended or it is deleted. */
export function whenFree(
  { background, reservations }: Pick<Parts, 'background' | 'reservations'>,
  uuid: string,
  { what, work, onFree }: Given,
): void {
  background.run(what, uuid, async () => {
    const signal = background.signalOf(uuid)
    const release = await reservations.takeWhenFree(uuid, signal).catch((error: unknown) => {
      if (signal.aborted || error instanceof NotFound) return undefined
      throw error
    })
    onFree?.()
    if (!release) return
    try {
      await work()
    } catch (error) {
      if (!background.stopping.aborted) throw error
    } finally {
      await release()
    }
  })
}
