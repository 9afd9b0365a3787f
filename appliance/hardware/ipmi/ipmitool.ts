/**
 * Runs ipmitool: one process a call, a deadline each, one call at a time for each BMC. The password goes by the
 * environment, never by the command line.
 */
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { confined } from '@appliance/ground/confine'
import { createKeyedMutex } from '@appliance/ground/keyed-mutex'
import { AddressRefused, type Reach } from '@appliance/ground/reach'
import { BmcFailure } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { IpmiAccess } from './access.ts'
import { bmcOf, explainFailure, type IpmiFailure, tellsFailure } from './failure.ts'
import { probeBmc } from './rmcp-probe.ts'

export type IpmitoolTiming = {
  /** ipmitool waits this long for the answer to a packet, and a second longer for each repeat (-N). */
  packet_timeout_s: number
  /** How often a packet is sent (-R). */
  packet_tries: number
  /** The longest that one process may run. */
  process_timeout_ms: number
  /** Processes for one call when the BMC is busy or silent. */
  tries: number
  pause_between_tries_ms: number
}
/** A gone BMC is told of after about 2 x (10 + 1) s; ipmitool asks for its capabilities twice in every try. */
export const IPMITOOL_TIMING: IpmitoolTiming = {
  packet_timeout_s: 2,
  packet_tries: 2,
  process_timeout_ms: 15_000,
  tries: 2,
  pause_between_tries_ms: 1_000,
}

/** @returns what ipmitool wrote to stdout @throws BmcFailure */
export type Ipmitool = (access: IpmiAccess, commands: readonly string[], signal: AbortSignal) => Promise<string>

/**
 * ipmitool looks under $HOME for a list of manufacturers before it parses /usr/share's 4 MB: ours is empty, and saves
 * 20 of 30 ms.
 */
const HOME = join(import.meta.dirname, 'ipmitool-home')
const PROBE_TIMEOUT_MS = 1_000
const KILL_AFTER_MS = 500
const OUTPUT_LIMIT_BYTES = 64 * 1024

type Given = { log: Log; reach: Reach }

export function createIpmitool({ log, reach }: Given, timing: IpmitoolTiming): Ipmitool {
  const turns = createKeyedMutex()
  return (access, commands, signal) =>
    // Many BMCs lose commands that overlap.
    turns.run(
      `${access.address} ${access.port}`,
      () => runWithRetries({ log, reach, timing, access, commands, signal }),
      signal,
    )
}

type Call = Given & {
  timing: IpmitoolTiming
  access: IpmiAccess
  commands: readonly string[]
  signal: AbortSignal
}

async function runWithRetries(call: Call): Promise<string> {
  const { log, timing, access, signal } = call
  const command = call.commands.join('; ')
  let failure: IpmiFailure = { message: '', retry: true }
  for (let tries = 1; tries <= timing.tries && failure.retry; tries++) {
    if (tries > 1) await pause(timing.pause_between_tries_ms, undefined, { signal })
    const started_ms = performance.now()
    const outcome = await runOnce(call, command)
    const duration_ms = Math.round(performance.now() - started_ms)
    log.debug('ipmitool ran', { node: access.node, command, tries, duration_ms, ok: 'stdout' in outcome })
    if ('stdout' in outcome) return outcome.stdout
    failure = outcome
  }
  throw new BmcFailure(failure.message)
}

async function runOnce(call: Call, command: string): Promise<{ stdout: string } | IpmiFailure> {
  const { access, timing, signal } = call
  const address = await addressOf(call, command)
  if (typeof address !== 'string') return address
  await using script = await scriptOf(call.commands)
  const timingArgs = ['-N', String(timing.packet_timeout_s), '-R', String(timing.packet_tries)]
  // Read when a program is run: execa is a hundred files.
  const { execa } = await import('execa')
  const args = [...argsFor(access, address), ...timingArgs, '-v', '-E', ...script.args]
  const [program, programArgs] = withKgKey(access, args)
  const result = await execa(...confined(program, programArgs, { reads: [HOME, ...script.files] }), {
    // -E reads IPMI_PASSWORD; an empty one is the null password, without a prompt.
    env: { IPMI_PASSWORD: access.password, ...kgKeyIn(access), LC_ALL: 'C', HOME, PATH: process.env.PATH },
    extendEnv: false,
    stdin: 'ignore',
    // The folder that the appliance was started from may be closed to its account.
    cwd: '/',
    reject: false,
    timeout: timing.process_timeout_ms,
    forceKillAfterDelay: KILL_AFTER_MS,
    cancelSignal: signal,
    maxBuffer: OUTPUT_LIMIT_BYTES,
  })
  signal.throwIfAborted()
  if (result.code === 'ENOENT') {
    return { message: 'ipmitool is not installed on the appliance: install the package ipmitool.', retry: false }
  }
  if (!result.failed && !tellsFailure(result.stderr)) return { stdout: result.stdout }
  return explainFailure(access, command, result, () =>
    probeBmc(address, access.port, { timeout_ms: PROBE_TIMEOUT_MS, signal }),
  )
}

/** A name is resolved once: ipmitool gets the address that was looked at. */
async function addressOf({ access, reach }: Call, command: string): Promise<string | IpmiFailure> {
  try {
    return await reach.addressOf(access.address)
  } catch (error) {
    if (error instanceof AddressRefused)
      return { message: `${bmcOf(access)} is not asked: ${error.message}.`, retry: false }
    return explainFailure(access, command, { stderr: '', timedOut: true }, async () => 'unknown-host')
  }
}

/**
 * ipmitool reads a Kg key from its environment with -K. A key has any bytes, which Node would write there as UTF-8: a
 * shell makes them of octal digits. Others can read a command line, and an environment nobody else can.
 */
const WITH_KG_KEY =
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a parameter of the shell
  'k=$(printf %b "$KG_KEY"X); IPMI_KGKEY=${k%X}; export IPMI_KGKEY; unset KG_KEY k; exec ipmitool -K "$@"'
const withKgKey = ({ kg_key }: IpmiAccess, args: readonly string[]): [string, readonly string[]] =>
  kg_key === '' ? ['ipmitool', args] : ['sh', ['-c', WITH_KG_KEY, 'sh', ...args]]

function kgKeyIn({ kg_key }: IpmiAccess): Record<string, string> {
  if (kg_key === '') return {}
  const octal = [...Buffer.from(kg_key, 'hex')].map((byte) => `\\0${byte.toString(8).padStart(3, '0')}`)
  return { KG_KEY: octal.join('') }
}

const argsFor = ({ args }: IpmiAccess, address: string) =>
  args.map((arg, index) => (args[index - 1] === '-H' ? address : arg))

/**
 * Several commands share one session, whose set-up costs a real BMC a second or two: ipmitool reads them from a file
 * then.
 */
async function scriptOf(commands: readonly string[]): Promise<AsyncDisposable & { args: string[]; files: string[] }> {
  const [only, ...more] = commands
  if (only !== undefined && more.length === 0)
    return { args: only.split(' '), files: [], async [Symbol.asyncDispose]() {} }
  const folder = await mkdtempDisposable(join(tmpdir(), 'ipmitool-'))
  const file = join(folder.path, 'commands')
  await writeFile(file, commands.map((line) => `${line}\n`).join(''))
  return { args: ['exec', file], files: [file], [Symbol.asyncDispose]: () => folder.remove() }
}
