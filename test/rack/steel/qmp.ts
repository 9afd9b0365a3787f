/** One command to a running QEMU over its machine protocol. Opens and closes its own connection: nobody waits for events. */
import { connect } from 'node:net'
import { createInterface } from 'node:readline'

const DEADLINE_MS = 5_000

/** @source QEMU docs/interop/qmp-spec */
type Reply = { QMP?: unknown; return?: unknown; error?: { desc: string }; id?: number }

/** Sends the commands one after the other. @throws Error  what QEMU answered to the one that failed */
export async function qmp(
  socketPath: string,
  ...commands: readonly { execute: string; arguments?: Record<string, unknown> }[]
): Promise<void> {
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
      if (!next) return
      socket.write(`${JSON.stringify(next)}\n`)
    }
    throw new Error(`QEMU ended while it was told ${pending[0]?.execute ?? 'the last command'}`)
  }
  try {
    await Promise.race([talk(), failed])
  } finally {
    socket.destroy()
  }
}
