/** The deploy agent as a process of its own, on a folder that stands for its machine. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { FakeMachine } from './fake-machine.ts'

const MAIN = join(import.meta.dirname, '../../../../pxe/ramdisk/agent/main.ts')
const DEADLINE_MS = 10_000

export type AgentProcess = AsyncDisposable & {
  /** Resolves at its end. */
  exit(): Promise<{ code: number | null; lastLine: string }>
}

export function startAgent(machine: FakeMachine): AgentProcess {
  const child: ChildProcess = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, machine.root], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {},
  })
  let output = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const ended = once(child, 'close')
  return {
    async exit() {
      const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS)
      await ended
      clearTimeout(timer)
      return { code: child.exitCode, lastLine: output.trim().split('\n').at(-1) ?? '' }
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Kernel parameters of a machine that asks this Ironic, quickly. */
export const cmdlineFor = (ironic: { url: string }, more = '') =>
  `initrd=ramdisk ipa-api-url=${ironic.url} ipa-listen-port=0 ipa-lookup-interval=0.01 ` +
  `ipa-image-download-connection-retry-interval=0 ipa-disk-wait-attempts=1 ${more}`

/**
 * What the machine's boot script tells its agent to ask, with the one-time number of this boot.
 * @param http  of the rack's side
 */
export async function bootedUrl(http: unknown, mac: string): Promise<string> {
  const answer = await fetch(`${http}/boot/${mac}`)
  const script = await answer.text()
  const [, url] = /ipa-api-url=(\S+)/.exec(script) ?? []
  if (!url) throw new Error(`${answer.status}, and no ipa-api-url in: ${script.slice(0, 500)}`)
  return url
}
