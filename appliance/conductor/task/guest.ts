/** What a plugin is handed of virtual machines on the appliance. */
import type { Progress, Task } from '../../plugin-api/index.ts'
import type { Parts } from '../parts/parts.ts'

type Given = { signal: AbortSignal; progress(progress: Progress): void }

/** Nothing where none can run. */
export function guestFor({ guests }: Pick<Parts, 'guests'>, given: Given): Task['guest'] {
  const acceleration = guests?.accelerator()
  if (!guests || !acceleration) return undefined
  return {
    acceleration,
    has: (layers) => guests.has(layers),
    run: ({ signal = given.signal, progress = given.progress, ...order }) => guests.run(order, { signal, progress }),
  }
}
