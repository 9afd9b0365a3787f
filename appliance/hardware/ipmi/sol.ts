/** Serial over LAN: a session as a process, which writes what the machine says and reads what is typed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { BmcFailure } from '../../errors.ts'
import { bmcOf } from './failure.ts'
import type { Bmc } from './ipmi.ts'

/** ipmitool's own commands begin with it (-e): a byte that nobody types. */
export const SOL_ESCAPE = 0x1e
/** While a machine is silent, ipmitool does not tell that its session has begun; a refusal ends it sooner. */
const BEGUN_AFTER_MS = 2_000
const QUOTE = 300

/** Resolves when there is a session. Another one of the BMC is ended first. @throws BmcFailure; signal's reason */
export async function openSol(bmc: Bmc, signal: AbortSignal): Promise<ChildProcess> {
  // Where there is none, the BMC says so: that is no failure.
  await bmc.run('sol deactivate').catch((error: unknown) => {
    if (!(error instanceof BmcFailure)) throw error
  })
  const { program, args, env } = await bmc.command(['-e', String.fromCharCode(SOL_ESCAPE), 'sol', 'activate'])
  const child = spawn(program, args, { cwd: '/', env, stdio: ['pipe', 'pipe', 'pipe'] })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const said: Buffer[] = []
  const complaints: Buffer[] = []
  const fail = (why: string) => reject(new BmcFailure(`${bmcOf(bmc.access)} opened no console: ${why}`))
  const words = () => wordsOf(Buffer.concat([...said, ...complaints]).toString('latin1'))
  const hear = (bytes: Buffer) => {
    said.push(bytes)
    resolve()
  }
  const complain = (bytes: Buffer) => complaints.push(bytes)
  const exited = () => setImmediate(() => fail(`${words()} Is serial over LAN enabled on it?`))
  const abort = () => reject(signal.reason)
  const timer = setTimeout(resolve, BEGUN_AFTER_MS)
  child.stdout.on('data', hear)
  child.stderr.on('data', complain)
  child.stdin.on('error', () => {})
  child.once('error', () => fail('ipmitool could not be started.'))
  child.once('close', exited)
  signal.addEventListener('abort', abort, { once: true })
  try {
    await promise
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
    child.off('close', exited)
    child.stderr.off('data', complain)
  }
  child.stdout.off('data', hear).pause()
  if (said.length > 0) child.stdout.unshift(Buffer.concat(said))
  return child
}

/** It has no terminal, and says so each time. */
const wordsOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => !line.startsWith('tcgetattr'))
    .join(' ')
    .trim()
    .slice(0, QUOTE) || 'ipmitool gave no reason.'
