/**
 * Commands to a running QEMU over its machine protocol. Opens and closes its own connection: nobody waits for events.
 */
import { connect } from 'node:net'
import { createInterface } from 'node:readline'

const DEADLINE_MS = 5_000

/** @source QEMU docs/interop/qmp-spec */
type Command = { execute: string; arguments?: Record<string, unknown> }
type Reply = { QMP?: unknown; return?: unknown; error?: { desc: string }; id?: number }

/** Sends the commands one after the other. @throws Error  what QEMU answered to the one that failed */
export async function qmp(socketPath: string, ...commands: readonly Command[]): Promise<void> {
  await askQemu(socketPath, ...commands)
}

/** @returns the answer to the last command. @throws Error  as qmp */
export async function askQemu<T>(socketPath: string, ...commands: readonly Command[]): Promise<T> {
  const socket = connect(socketPath)
  socket.setTimeout(DEADLINE_MS, () => socket.destroy(new Error(`QEMU is silent at ${socketPath}`)))
  const failed = new Promise<never>((_, reject) => socket.once('error', reject))
  failed.catch(() => {})
  const lines = createInterface({ input: socket })
  const pending = [{ execute: 'qmp_capabilities' }, ...commands]
  const talk = async () => {
    for await (const line of lines) {
      const reply = JSON.parse(line) as Reply
      if (reply.error) throw new Error(`QEMU refused ${reply.error.desc}`)
      if (reply.QMP === undefined && reply.return === undefined) continue
      const next = pending.shift()
      if (!next) return reply.return as T
      socket.write(`${JSON.stringify(next)}\n`)
    }
    throw new Error(`QEMU ended while it was told ${pending[0]?.execute ?? 'the last command'}`)
  }
  try {
    return await Promise.race([talk(), failed])
  } finally {
    socket.destroy()
  }
}
