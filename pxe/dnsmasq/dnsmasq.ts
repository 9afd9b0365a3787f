/** A running dnsmasq: its files, its start, and its return whenever it ends. Decides nothing about machines. */
import { once } from 'node:events'
import { mkdir, rename } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { type Capability, type Confinement, confined } from '@appliance/ground/confine'
import { type PxeConfig, PxeError, type PxeLog } from '../config.ts'
import { writeDurably } from '../ramdisk/files.ts'
import { dnsmasqPaths, renderDnsmasqConfig } from './config.ts'
import { endLeftovers } from './leftovers.ts'
import { fillTftpRoot, isOpenToAll } from './tftp-root.ts'
import { explainEnd, explainRefusal, readDnsmasqLine } from './words.ts'

const TEST_TIMEOUT_MS = 10_000
/** Longest that start() waits for the first word of success or failure. */
const START_DEADLINE_MS = 5_000
const KILL_AFTER_MS = 500
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 30_000
/** After so long a run the next pause is the first one again. */
const STABLE_AFTER_MS = 60_000
const LAST_WORDS = 10
/** Debian's dnsmasq is translated; words.ts is not. Nothing else of our environment is its. */
const IN_ENGLISH = { extendEnv: false, env: { LC_ALL: 'C', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } }
/** The folder that the appliance was started from may be closed to its account: no program starts there. */
const ANYWHERE = '/'

export type Health = { healthy: boolean; message?: string }

export class Dnsmasq {
  readonly #config: PxeConfig
  readonly #log: PxeLog
  readonly #stopping = new AbortController()
  #supervision: Promise<void> | undefined
  #health: Health = { healthy: false, message: 'DHCP and TFTP are not started.' }

  constructor(config: PxeConfig, log: PxeLog) {
    this.#config = config
    this.#log = log
  }

  /**
   * Resolves when dnsmasq answers, or has failed once for a reason that may pass, such as a port that is taken: see
   * health().
   * @throws PxeError  the configuration or its files are wrong; nothing runs then
   */
  async start(): Promise<void> {
    await fillTftpRoot(this.#config)
    const argument = `--conf-file=${await this.#placeConfig()}`
    await endLeftovers(argument, this.#log)
    const firstWord = Promise.withResolvers<void>()
    this.#supervision = this.#supervise(argument, firstWord.resolve)
    const deadline = new AbortController()
    await Promise.race([
      firstWord.promise,
      setTimeout(START_DEADLINE_MS, undefined, { signal: deadline.signal }).catch(() => {}),
    ])
    deadline.abort()
  }

  health(): Health {
    return this.#health
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#supervision
    this.#health = { healthy: false, message: 'DHCP and TFTP are stopped.' }
  }

  /** The one that is in place stays until dnsmasq itself has approved of the new one. */
  async #placeConfig(): Promise<string> {
    const { folder, config } = dnsmasqPaths(this.#config.state_path)
    const keepsRoot = process.getuid?.() === 0 && !(await isOpenToAll(this.#config))
    const text = renderDnsmasqConfig(this.#config, keepsRoot)
    await mkdir(folder, { recursive: true })
    await writeDurably(`${config}.new`, Buffer.from(text))
    await checkConfig(`${config}.new`, text, rightsOf(this.#config))
    await rename(`${config}.new`, config)
    return config
  }

  async #supervise(argument: string, tellFirstWord: () => void): Promise<void> {
    const { signal } = this.#stopping
    for (let pause_ms = FIRST_PAUSE_MS; !signal.aborted; pause_ms = Math.min(pause_ms * 2, LONGEST_PAUSE_MS)) {
      const began = Date.now()
      const reason = await this.#run(argument, tellFirstWord)
      if (signal.aborted) return
      if (Date.now() - began > STABLE_AFTER_MS) pause_ms = FIRST_PAUSE_MS
      const message = `DHCP and TFTP do not work, because dnsmasq does not run: ${reason}`
      this.#health = { healthy: false, message }
      this.#log.error('dnsmasq ended', { reason, again_in_s: pause_ms / 1000 })
      tellFirstWord()
      await setTimeout(pause_ms, undefined, { signal }).catch(() => {})
    }
  }

  /** Until its end. @returns why it ended */
  async #run(argument: string, tellFirstWord: () => void): Promise<string> {
    const last: string[] = []
    const { execa } = await import('execa')
    const child = execa(...confined('dnsmasq', ['--keep-in-foreground', argument], rightsOf(this.#config)), {
      all: true,
      buffer: false,
      reject: false,
      stdin: 'ignore',
      ...IN_ENGLISH,
      cwd: ANYWHERE,
      cancelSignal: this.#stopping.signal,
      forceKillAfterDelay: KILL_AFTER_MS,
    })
    const lines = createInterface({ input: child.all }).on('line', (line) => {
      const read = readDnsmasqLine(line)
      if (read === undefined) return
      last.push(read.text)
      if (last.length > LAST_WORDS) last.shift()
      if (read.lease) this.#log.info('dhcp lease', read.lease)
      else this.#log.debug('dnsmasq says', { text: read.text })
      if (!read.started) return
      this.#health = { healthy: true }
      this.#log.info('dnsmasq started', { interface: this.#config.interface, pid: child.pid })
      tellFirstWord()
    })
    const closed = once(lines, 'close')
    const { exitCode, signal, code } = await child
    await closed
    if (code === 'ENOENT') return NOT_INSTALLED
    return explainEnd(last, exitCode === undefined ? (signal ?? 'no status') : `status ${exitCode}`)
  }
}

const NOT_INSTALLED = 'it is not installed (Debian: apt install dnsmasq-base).'

/**
 * Its ports are privileged, it sets ARP entries of machines that have no address yet, and pings an address before it
 * gives it; from root it changes to an account of its own. [dhcp] dnsmasq_options may name any file but the
 * appliance's.
 */
function rightsOf({ state_path, tftp_root }: PxeConfig): Confinement {
  const fromRoot: readonly Capability[] = process.getuid?.() === 0 ? ['setuid', 'setgid', 'chown'] : []
  return {
    capabilities: ['net_bind_service', 'net_admin', 'net_raw', ...fromRoot],
    hides: [state_path],
    reads: [tftp_root],
    writes: [dnsmasqPaths(state_path).folder],
  }
}

async function checkConfig(path: string, text: string, rights: Confinement): Promise<void> {
  // Read where dnsmasq runs: execa is a hundred files.
  const { execa } = await import('execa')
  const { code, failed, timedOut, stderr } = await execa(
    ...confined('dnsmasq', ['--test', `--conf-file=${path}`], { ...rights, capabilities: [] }),
    {
      reject: false,
      stdin: 'ignore',
      timeout: TEST_TIMEOUT_MS,
      ...IN_ENGLISH,
      cwd: ANYWHERE,
    },
  )
  if (!failed) return
  if (code === 'ENOENT') throw new PxeError(`[dhcp] dhcp_provider is dnsmasq, and ${NOT_INSTALLED}`)
  if (timedOut)
    throw new PxeError(`dnsmasq did not check its configuration ${path} within ${TEST_TIMEOUT_MS / 1000} s.`)
  throw new PxeError(
    `dnsmasq refuses its configuration: ${explainRefusal(stderr, text)} Correct [dhcp] dhcp_range or dnsmasq_options.`,
  )
}
