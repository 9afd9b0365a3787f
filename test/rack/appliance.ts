/** The appliance as a process of its own in the rack's network: its configuration, its life, and its log as events. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { type ConfigChange, configFor, renderIni } from './appliance-config.ts'
import { ADDRESS } from './steel/network.ts'

/** One line of its JSON log. */
export type LogLine = { time: string; level: string; message: string; [field: string]: unknown }
export type ApplianceOptions = {
  folder: string
  log: string
  ramdisk: string
  /** Folders that file:// images may lie in. */
  images: readonly string[]
  config?: ConfigChange
  enter: readonly string[]
  apiSocket: string
}

const PROGRAM = join(import.meta.dirname, '../../appliance/cli.ts')
const START_DEADLINE_MS = 60_000
const STOP_DEADLINE_MS = 8_000
const LAST_LINES = 5
const API_DEADLINE_MS = 30_000

export class Appliance {
  readonly options: ApplianceOptions
  /** All of its log so far. */
  readonly lines: LogLine[] = []
  readonly #listeners = new Set<(line: LogLine) => void>()
  #process: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()
  #words: string[] = []

  constructor(options: ApplianceOptions) {
    this.options = options
    mkdirSync(options.folder, { recursive: true })
    writeFileSync(this.configFile, renderIni(configFor(options), options.config))
  }

  get configFile(): string {
    return join(this.options.folder, 'rackstrap.conf')
  }
  /** While it is up. */
  get pid(): number | undefined {
    return this.#process?.pid
  }
  get isUp(): boolean {
    return this.#process !== undefined
  }

  onLine(listener: (line: LogLine) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Ready to serve when it returns; may be called again after stop() or kill(). @throws Error  with its last words */
  async start(signal: AbortSignal): Promise<void> {
    const [command = '', ...args] = [
      ...this.options.enter,
      process.execPath,
      PROGRAM,
      'serve',
      '--config',
      this.configFile,
    ]
    const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#ended = promise
    const gone = () => {
      if (this.#process === child) this.#process = undefined
      resolve()
    }
    child.once('close', gone).once('error', gone)
    const file = createWriteStream(this.options.log, { flags: 'a' })
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        file.write(`${line}\n`)
        this.#take(line)
      })
    }
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(START_DEADLINE_MS)])
    while (!(await this.#isHealthy())) {
      if (this.isUp && !deadline.aborted) await setTimeout(50)
      else
        throw new Error(
          `the appliance ${this.isUp ? 'did not become healthy' : 'ended at its start'}: ${this.lastWords()}`,
        )
    }
  }

  /** As systemd would. */
  async stop(): Promise<void> {
    this.#process?.kill('SIGTERM')
    const timer = AbortSignal.timeout(STOP_DEADLINE_MS)
    timer.addEventListener('abort', () => this.#process?.kill('SIGKILL'))
    await this.#ended
  }

  /** As a power cut would: its children go with it. */
  async kill(): Promise<void> {
    const pid = this.#process?.pid
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
    await this.#ended
  }

  lastWords(): string {
    return this.#words.slice(-LAST_LINES).join('\n') || 'no word from it'
  }

  /**
   * The first line, past ones since `from` included, for which `matches` is true. `from` is the number of lines before
   * what is waited for was begun: an older line of the same words is no answer. @throws Error  none in time
   */
  async waitFor(
    what: string,
    matches: (line: LogLine) => boolean,
    { timeout_s, from }: { timeout_s: number; from: number },
  ): Promise<LogLine> {
    const past = this.lines.slice(from).find(matches)
    if (past) return past
    const { promise, resolve, reject } = Promise.withResolvers<LogLine>()
    const stop = this.onLine((line) => matches(line) && resolve(line))
    const timer = globalThis.setTimeout(
      () => reject(new Error(`no "${what}" in the appliance's log within ${timeout_s} s; see ${this.options.log}`)),
      timeout_s * 1000,
    )
    return promise.finally(() => {
      stop()
      clearTimeout(timer)
    })
  }

  /** Calls its API from outside the namespace. */
  call(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<ApiAnswer> {
    const socketPath = this.options.apiSocket
    const text = body === undefined ? undefined : JSON.stringify(body)
    const fields: Record<string, string> = {
      host: `${ADDRESS}:6385`,
      'x-openstack-ironic-api-version': '1.115',
      ...headers,
    }
    if (text !== undefined) fields['content-type'] = 'application/json'
    return new Promise((resolve, reject) => {
      const call = request({ socketPath, method, path, headers: fields, agent: false, timeout: API_DEADLINE_MS })
      call.on('timeout', () =>
        call.destroy(new Error(`${method} ${path}: no answer within ${API_DEADLINE_MS / 1000} s`)),
      )
      call.on('error', reject)
      call.on('response', async (response) => {
        let answer = ''
        try {
          for await (const chunk of response.setEncoding('utf8')) answer += chunk
          resolve({ status: response.statusCode ?? 0, text: answer })
        } catch (error) {
          reject(error)
        }
      })
      call.end(text)
    })
  }

  async #isHealthy(): Promise<boolean> {
    return this.call('GET', '/healthz').then(
      ({ status }) => status === 200,
      () => false,
    )
  }

  #take(text: string): void {
    this.#words.push(text)
    this.#words = this.#words.slice(-LAST_LINES)
    const line = parse(text)
    if (!line) return
    this.lines.push(line)
    for (const listener of this.#listeners) listener(line)
  }
}
export type ApiAnswer = { status: number; text: string }

function parse(text: string): LogLine | undefined {
  try {
    const line = JSON.parse(text)
    return typeof line.message === 'string' ? line : undefined
  } catch {
    // A stack, or a child's own words: it is in the file.
    return undefined
  }
}
