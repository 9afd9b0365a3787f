/**
 * Runs ipmitool: one process a call, a deadline each, one call at a time for each BMC. The password goes by the
 * environment, never by the command line.
 */
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createKeyedMutex } from '@appliance/ground/keyed-mutex'
import { AddressRefused, type Reach } from '@appliance/ground/reach'
import type { Config } from '../../config/options.ts'
import { BmcFailure } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { IpmiAccess } from './access.ts'
import { type Command, commandOf } from './command.ts'
import { bmcOf, explainFailure, type IpmiFailure, tellsFailure } from './failure.ts'
import { type KnownBmc, knownBmcs } from './known-bmcs.ts'
import { probeBmc } from './rmcp-probe.ts'

/** By Ironic's names of [ipmi]. */
export type IpmiSettings = Pick<
  Config['ipmi'],
  | 'command_retry_timeout'
  | 'min_command_interval'
  | 'use_ipmitool_retries'
  | 'kill_on_timeout'
  | 'additional_retryable_ipmi_errors'
>

export type IpmitoolTiming = {
  /** ipmitool waits at least this long for the answer to a packet, and a second longer for each repeat (-N). */
  packet_timeout_s: number
  /** How often a packet is sent (-R). */
  packet_tries: number
  /** The longest that one process may run, with a BMC that answers at once. */
  process_timeout_ms: number
  /** Processes for one call when the BMC is silent, or opens no session. */
  tries: number
  pause_between_tries_ms: number
  /** The longest wait for a word of a BMC that ipmitool got no answer from. */
  probe_timeout_ms: number
}
/** A gone BMC is told of after about 2 x (10 + 5) s; ipmitool asks for its capabilities twice in every try. */
export const IPMITOOL_TIMING: IpmitoolTiming = {
  packet_timeout_s: 2,
  packet_tries: 2,
  process_timeout_ms: 15_000,
  tries: 2,
  pause_between_tries_ms: 1_000,
  probe_timeout_ms: 5_000,
}

export type Ipmitool = {
  at(
    access: IpmiAccess,
    signal: AbortSignal,
  ): {
    /** @returns what ipmitool wrote to stdout @throws BmcFailure */
    run(...commands: string[]): Promise<string>
    /** As slow, and by the cipher suite, as the BMC is known to need it. @throws BmcFailure */
    command(args: readonly string[]): Promise<Command>
  }
}

const KILL_AFTER_MS = 500
const OUTPUT_LIMIT_BYTES = 64 * 1024

/** A session is about a dozen questions: for the capabilities, to log in, for the manufacturer, to log out. */
const ANSWERS_IN_A_SESSION = 16

type Given = { log: Log; reach: Reach; settings: IpmiSettings }

export function createIpmitool(given: Given, timing: IpmitoolTiming): Ipmitool {
  const turns = createKeyedMutex()
  const known = knownBmcs()
  return {
    at(access, signal) {
      const place = `${access.address} ${access.port}`
      const call = (commands: readonly string[]): Call => ({
        ...given,
        ...{ timing, access, commands, signal, bmc: known.at(place) },
      })
      return {
        // Many BMCs lose commands that overlap.
        run: (...commands) => turns.run(place, () => runWithRetries(call(commands)), signal),
        command: (args) => lastingCommand(call([]), args),
      }
    },
  }
}

async function lastingCommand(call: Call, args: readonly string[]): Promise<Command> {
  const { access, bmc } = call
  const address = await addressOf(call, args.join(' '))
  if (typeof address !== 'string') throw new BmcFailure(address.message)
  return commandOf(access, {
    address,
    suite: bmc.cipher_suite ?? access.cipher_suites[0],
    args: [...waitArgs(call), ...args],
  })
}

const waitArgs = (call: Call): string[] => {
  const { packet_timeout_s, packet_tries } = paceOf(call)
  return ['-N', String(packet_timeout_s), '-R', String(packet_tries)]
}

type Call = Given & {
  timing: IpmitoolTiming
  access: IpmiAccess
  commands: readonly string[]
  signal: AbortSignal
  bmc: KnownBmc
}

async function runWithRetries(call: Call): Promise<string> {
  const { log, access, bmc, signal } = call
  const command = call.commands.join('; ')
  const known = access.cipher_suites.filter((suite) => suite === bmc.cipher_suite)
  const suites = known.length > 0 ? known : [...access.cipher_suites]
  const deadline_ms = performance.now() + call.settings.command_retry_timeout * 1000
  let failure: IpmiFailure | undefined
  for (let tries = 1; ; tries++) {
    const pause_ms = pauseBefore(call, failure)
    if (failure && performance.now() + pause_ms > deadline_ms) break
    await rest(pause_ms, signal)
    const started_ms = performance.now()
    const outcome = await runOnce(call, command, suites[0])
    bmc.ended_ms = performance.now()
    const duration_ms = Math.round(bmc.ended_ms - started_ms)
    log.debug('ipmitool ran', { node: access.node, command, tries, duration_ms, ok: 'stdout' in outcome })
    if ('stdout' in outcome) {
      bmc.cipher_suite = suites[0]
      return outcome.stdout
    }
    failure = outcome
    if (!mayRetry(call, failure, { tries, suites })) break
  }
  // It may have got another firmware, or be another one.
  bmc.cipher_suite = undefined
  throw new BmcFailure(failure.message)
}

async function rest(pause_ms: number, signal: AbortSignal): Promise<void> {
  if (pause_ms > 0) await pause(pause_ms, undefined, { signal }).catch(() => signal.throwIfAborted())
}

/** Some BMCs crash when they are asked too often. */
function pauseBefore({ settings, timing, bmc }: Call, failure: IpmiFailure | undefined): number {
  const rest_ms =
    settings.min_command_interval * 1000 - (performance.now() - (bmc.ended_ms ?? Number.NEGATIVE_INFINITY))
  const isAgain = failure !== undefined && failure.retry !== 'otherwise'
  return Math.max(0, rest_ms, isAgain ? timing.pause_between_tries_ms : 0)
}

/** @param at  suites: the first one was tried; it is taken away when there is another */
function mayRetry(
  { settings, timing }: Call,
  { retry }: IpmiFailure,
  { tries, suites }: { tries: number; suites: string[] },
): boolean {
  if (retry === 'otherwise') return suites.length > 1 && suites.shift() !== undefined
  if (retry === 'no' || settings.use_ipmitool_retries) return false
  return retry === 'patiently' || tries < timing.tries
}

async function runOnce(
  call: Call,
  command: string,
  suite: string | undefined,
): Promise<{ stdout: string } | IpmiFailure> {
  const { access, timing, settings, signal, bmc } = call
  const address = await addressOf(call, command)
  if (typeof address !== 'string') return address
  await using script = await scriptOf(call.commands)
  const { packet_timeout_s, process_timeout_ms } = paceOf(call)
  // Read when a program is run: execa is a hundred files.
  const { execa } = await import('execa')
  const ipmitool = commandOf(access, {
    address,
    suite,
    args: [...waitArgs(call), '-v', ...script.args],
    reads: script.files,
  })
  const result = await execa(ipmitool.program, ipmitool.args, {
    env: ipmitool.env,
    extendEnv: false,
    stdin: 'ignore',
    // The folder that the appliance was started from may be closed to its account.
    cwd: '/',
    reject: false,
    ...(settings.kill_on_timeout && { timeout: process_timeout_ms }),
    forceKillAfterDelay: KILL_AFTER_MS,
    cancelSignal: signal,
    maxBuffer: OUTPUT_LIMIT_BYTES,
  })
  signal.throwIfAborted()
  if (result.code === 'ENOENT') {
    return { message: 'ipmitool is not installed on the appliance: install the package ipmitool.', retry: 'no' }
  }
  if (!result.failed && !tellsFailure(result.stderr)) return { stdout: result.stdout }
  const { stderr, timedOut } = result
  return explainFailure(
    access,
    command,
    { stderr, timedOut, packet_timeout_s },
    {
      retryable: settings.additional_retryable_ipmi_errors,
      async probe() {
        const probed = await probeBmc(address, access.port, { timeout_ms: timing.probe_timeout_ms, signal })
        signal.throwIfAborted()
        if (probed.found === 'ipmi') bmc.answer_ms = Math.ceil(probed.took_ms)
        return probed
      },
    },
  )
}

/** As slow as the BMC is known to be: an answer that comes after ipmitool has asked again spoils the session. */
function paceOf({ timing, settings, bmc: { answer_ms = 0 } }: Call) {
  const { command_retry_timeout, min_command_interval, use_ipmitool_retries } = settings
  const interval_s = Math.max(1, min_command_interval)
  const slowest_s = Math.ceil((2 * answer_ms) / 1000)
  return {
    packet_timeout_s: Math.max(use_ipmitool_retries ? interval_s : timing.packet_timeout_s, slowest_s),
    packet_tries: use_ipmitool_retries
      ? Math.max(1, Math.floor(command_retry_timeout / interval_s))
      : timing.packet_tries,
    process_timeout_ms: use_ipmitool_retries
      ? command_retry_timeout * 1000
      : Math.max(timing.process_timeout_ms, Math.min(answer_ms * ANSWERS_IN_A_SESSION, command_retry_timeout * 1000)),
  }
}

/** A name is resolved once: ipmitool gets the address that was looked at. */
async function addressOf({ access, reach }: Call, command: string): Promise<string | IpmiFailure> {
  try {
    return await reach.addressOf(access.address)
  } catch (error) {
    if (error instanceof AddressRefused)
      return { message: `${bmcOf(access)} is not asked: ${error.message}.`, retry: 'no' }
    const probe = async () => ({ found: 'unknown-host', took_ms: 0 }) as const
    return explainFailure(access, command, { stderr: '', timedOut: true, packet_timeout_s: 0 }, { probe })
  }
}

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
