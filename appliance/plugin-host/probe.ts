/** Loads a stranger's plugin in a process of its own first, so that what its code does there ends nobody else. */
import { fork } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { confined } from '@appliance/ground/confine'
import { type Manifest, PluginRefused } from './manifest.ts'

const MEMORY_MB = 256
const CHILD = join(import.meta.dirname, 'probe-child.ts')

type Answer = { cannot: string } | { problems: readonly string[] }

/** @throws PluginRefused  it does not load, or not to its end */
export async function probe(manifest: Manifest, version: string, deadline_s: number): Promise<void> {
  const refused = (why: string) => new PluginRefused(`plugin ${manifest.entry} cannot be loaded: ${why}`)
  // What a plugin reads while it is loaded nobody knows beforehand.
  const options = [`--max-old-space-size=${MEMORY_MB}`, '--disable-warning=ExperimentalWarning']
  const [execPath, execArgv] = confined(process.execPath, options, { hides: [], opensUnixSockets: true })
  const child = fork(CHILD, [JSON.stringify(manifest), version], {
    execPath,
    // Nothing of the appliance's environment is a plugin's.
    env: {},
    execArgv,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    timeout: deadline_s * 1000,
    killSignal: 'SIGKILL',
  })
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  child.once('message', (answer) => resolve(answer as Answer))
  child.once('error', reject)
  child.once('exit', (status, signal) => reject(refused(whyItEnded(status, signal, deadline_s))))
  const answer = await promise
  if ('cannot' in answer) throw refused(answer.cannot)
  if (answer.problems.length > 0) {
    throw new PluginRefused(`plugin ${manifest.entry} is refused: ${answer.problems.join('; ')}`)
  }
}

function whyItEnded(status: number | null, signal: string | null, deadline_s: number): string {
  if (signal === 'SIGKILL') return `it did not load within ${deadline_s} s`
  return `it ended the process that loaded it (${signal === null ? `exit status ${status}` : signal})`
}
