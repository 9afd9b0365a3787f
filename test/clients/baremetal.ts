/** The newest `baremetal` client from PyPI, many commands in one process. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Baremetal } from './baremetal-scenario.ts'

type Answer = { status: number; stdout: string; stderr: string }
export type Session = {
  run: Baremetal
  /** Names of all commands that the client has, and of those that ran. */
  commands(): Promise<string[]>
  ran: readonly string[]
}

/** The client failed; the message is its own. */
class ClientFailed extends Error {}

/** @param python  of a virtual environment that has the client */
export function startSession(
  t: { after(end: () => unknown): void; signal: AbortSignal },
  python: string,
  endpoint: string,
): Session {
  const env = { ...process.env, OS_AUTH_TYPE: 'none', OS_ENDPOINT: endpoint, PYTHONWARNINGS: 'ignore' }
  const child = spawn(python, [join(import.meta.dirname, 'baremetal_session.py')], {
    env,
    signal: t.signal,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.on('error', () => {})
  t.after(() => child.kill())
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ran: string[] = []
  const ask = async (words: unknown): Promise<unknown> => {
    child.stdin.write(`${JSON.stringify(words)}\n`)
    const { value: text } = await lines.next()
    if (typeof text !== 'string') throw new Error('the client has ended')
    return JSON.parse(text)
  }
  return {
    ran,
    commands: () => ask('commands') as Promise<string[]>,
    async run(text, ...given) {
      const words = text.flatMap((piece, at) => [
        ...piece.split(' ').filter(Boolean),
        ...(given[at] === undefined ? [] : [given[at]]),
      ])
      ran.push(words.join(' '))
      const { status, stdout, stderr } = (await ask(words)) as Answer
      if (status !== 0) throw new ClientFailed(`baremetal ${words.join(' ')}: ${stderr.trim()}`)
      return stdout
    },
  }
}
