/** Work in the background: what runs, how long it may run, and how it is called off. */
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'

/** The reason of a signal that a stop aborts. The work is left as it is, and goes on after the next start. */
class Stopping extends Error {}

const STOP_DEADLINE_MS = 3_000

export type Background = {
  /** Aborted when the appliance stops. */
  readonly stopping: AbortSignal
  /** Runs `work` in the background. What it throws is a fault of ours, and logged. */
  run(what: string, node: string, work: () => Promise<void>): void
  /** The signal of a node's present operation, made when there is none; aborted by `callOff` and `stop`. */
  signalOf(node: string): AbortSignal
  /** Ends the present operation of a node: its signal is aborted, the next one gets a new signal. */
  callOff(node: string, reason: Error): void
  /** Aborts everything, and waits a moment for it to end. */
  stop(): Promise<void>
}

export function createBackground(log: Log): Background {
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  const operations = new Map<string, AbortController>()

  return {
    stopping: stopping.signal,
    run(what, node, work) {
      if (stopping.signal.aborted) return
      const promise = work().catch((error: unknown) => {
        if (!stopping.signal.aborted) log.error('job failed', { what, node, reason: messageOf(error), error })
      })
      running.add(promise)
      void promise.finally(() => running.delete(promise))
    },
    signalOf(node) {
      let operation = operations.get(node)
      if (!operation) {
        operation = new AbortController()
        if (stopping.signal.aborted) operation.abort(stopping.signal.reason)
        operations.set(node, operation)
      }
      return operation.signal
    },
    callOff(node, reason) {
      operations.get(node)?.abort(reason)
      operations.delete(node)
    },
    async stop() {
      const reason = new Stopping('the appliance stops')
      stopping.abort(reason)
      for (const operation of operations.values()) operation.abort(reason)
      let timer: NodeJS.Timeout | undefined
      const deadline = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, STOP_DEADLINE_MS)
      })
      await Promise.race([Promise.all(running), deadline])
      clearTimeout(timer)
    },
  }
}

/** Work that a stop interrupts is found again at the next start. */
export async function unlessStopped(
  { background }: { background: Pick<Background, 'stopping'> },
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!background.stopping.aborted) throw error
  }
}
