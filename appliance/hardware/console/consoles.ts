/**
 * Serial consoles of machines: one session to each, kept open, its words in a file, and shown to whoever connects by
 * TCP. Knows no protocol of a BMC: a session is a process. One object for the life of the appliance, also beyond a
 * reload of plugins.
 */
import type { ChildProcess } from 'node:child_process'
import { createWriteStream, type WriteStream } from 'node:fs'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { unlessMissing } from '@appliance/ground/errno'
import { BmcFailure, messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'

/** @returns a process that writes what the machine says, and reads what is typed @throws BmcFailure */
type OpenSession = (signal: AbortSignal) => Promise<ChildProcess>
type Console = {
  open: OpenSession
  /** 0: any of the range that is free. */
  port: number
  /** Bytes that must not be typed, because the session takes them for commands to itself. */
  without: number
}
export type Consoles = {
  /** Resolves when there is a session. Nothing changes where there is a console already. @throws BmcFailure */
  start(uuid: string, console: Console, signal: AbortSignal): Promise<void>
  stop(uuid: string): Promise<void>
  /** undefined: it is not started. */
  addressOf(uuid: string): { host: string; port: number } | undefined
  /** What is said from now on goes into a file of its own; the one before is kept, as `.1`. */
  beginRecord(uuid: string): Promise<void>
  /** Removes what was recorded of nodes that are not there any more. */
  sweep(isThere: (uuid: string) => boolean): Promise<void>
  close(): Promise<void>
}
export type ConsolesOptions = {
  log: Log
  /** Of the recordings. */
  folder: string
  host: string
  /** `10000:10100`; empty: any. */
  port_range: string
}

const RECORD_LIMIT_BYTES = 8 * 1024 * 1024
const VIEWERS_LIMIT = 8
/** What a viewer may leave unread before he is let go. */
const UNREAD_LIMIT_BYTES = 256 * 1024
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 60_000
/** A session that lasted that long was a good one. */
const GOOD_MS = 30_000

export function createConsoles(options: ConsolesOptions): Consoles {
  const running = new Map<string, Running>()
  const starting = new Map<string, Promise<void>>()
  return {
    async start(uuid, console, signal) {
      await starting.get(uuid)?.catch(() => {})
      if (running.has(uuid)) return
      const promise = Running.start(uuid, console, { ...options, taken: portsOf(running) }, signal).then((one) => {
        running.set(uuid, one)
      })
      starting.set(uuid, promise)
      await promise.finally(() => starting.delete(uuid))
    },
    async stop(uuid) {
      await starting.get(uuid)?.catch(() => {})
      await running.get(uuid)?.stop()
      running.delete(uuid)
    },
    addressOf: (uuid) => running.get(uuid)?.address,
    beginRecord: async (uuid) => running.get(uuid)?.record.anew(),
    async sweep(isThere) {
      for (const name of (await readdir(options.folder).catch(unlessMissing)) ?? []) {
        if (!isThere(name.split('.', 1)[0] ?? '')) await rm(join(options.folder, name), { force: true })
      }
    },
    async close() {
      await Promise.all([...running.values()].map((one) => one.stop()))
      running.clear()
    },
  }
}

const portsOf = (running: ReadonlyMap<string, Running>) => [...running.values()].map(({ address }) => address.port)

class Running {
  readonly record: RecordFile
  readonly #uuid: string
  readonly #console: Console
  readonly #log: Log
  readonly #server: Server
  readonly #viewers = new Set<Socket>()
  readonly #stopping = new AbortController()
  readonly #host: string
  #session: ChildProcess | undefined
  #loop: Promise<void> = Promise.resolve()

  private constructor(uuid: string, console: Console, { log, folder, host }: ConsolesOptions) {
    this.#uuid = uuid
    this.#console = console
    this.#log = log
    this.#host = host
    this.record = new RecordFile(join(folder, `${uuid}.log`), log)
    this.#server = createServer((socket) => this.#welcome(socket))
  }

  /** @throws BmcFailure */
  static async start(
    uuid: string,
    console: Console,
    options: ConsolesOptions & { taken: readonly number[] },
    signal: AbortSignal,
  ): Promise<Running> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 })
    const one = new Running(uuid, console, options)
    await listenWithin(one.#server, options, console.port)
    try {
      const session = await console.open(signal)
      one.#loop = one.#keepOpen(session)
    } catch (error) {
      one.#server.close()
      throw error
    }
    return one
  }

  get address() {
    return { host: this.#host, port: (this.#server.address() as AddressInfo).port }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#session?.kill()
    for (const viewer of this.#viewers) viewer.destroy()
    this.#server.close()
    await this.#loop
    await this.record.close()
  }

  async #keepOpen(first: ChildProcess): Promise<void> {
    const { signal } = this.#stopping
    let pause_ms = FIRST_PAUSE_MS
    for (let session: ChildProcess | undefined = first; !signal.aborted; session = await this.#again(pause_ms)) {
      const began_ms = performance.now()
      if (session) await this.#relay(session)
      pause_ms = performance.now() - began_ms > GOOD_MS ? FIRST_PAUSE_MS : Math.min(2 * pause_ms, LONGEST_PAUSE_MS)
    }
  }

  /** @returns undefined  there is none yet */
  async #again(pause_ms: number): Promise<ChildProcess | undefined> {
    const { signal } = this.#stopping
    await pause(pause_ms, undefined, { signal }).catch(() => {})
    if (signal.aborted) return undefined
    return this.#console.open(signal).catch((error: unknown) => {
      if (!signal.aborted) this.#log.warn('console lost', { node: this.#uuid, reason: messageOf(error) })
      return undefined
    })
  }

  /** Until the session ends. */
  async #relay(session: ChildProcess): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#session = session
    if (this.#stopping.signal.aborted) session.kill()
    session.stdout?.on('data', (bytes: Buffer) => this.#show(bytes)).resume()
    session.stderr?.resume()
    session.stdin?.on('error', () => {})
    session.once('close', () => resolve())
    if (session.exitCode !== null || session.signalCode !== null) resolve()
    await promise
    this.#session = undefined
  }

  #show(bytes: Buffer): void {
    this.record.write(bytes)
    for (const viewer of this.#viewers) {
      if (viewer.writableLength > UNREAD_LIMIT_BYTES) viewer.destroy()
      else viewer.write(bytes)
    }
  }

  #welcome(socket: Socket): void {
    socket.on('error', () => {})
    if (this.#viewers.size >= VIEWERS_LIMIT) {
      socket.end(`This console has ${VIEWERS_LIMIT} viewers already.\r\n`)
      return
    }
    this.#viewers.add(socket)
    socket.once('close', () => this.#viewers.delete(socket))
    socket.on('data', (bytes: Buffer) => {
      const keys = this.#session?.stdin
      // A serial line is slow. Who pours into it is let go.
      if ((keys?.writableLength ?? 0) > UNREAD_LIMIT_BYTES) socket.destroy()
      else keys?.write(bytes.filter((byte) => byte !== this.#console.without))
    })
  }
}

/** A file that does not grow for ever: the one before is kept. What cannot be written is not. */
class RecordFile {
  readonly #path: string
  readonly #log: Log
  #stream: WriteStream | undefined
  #bytes = 0
  /** Bytes that are still to be written. */
  #waiting = 0
  #turn: Promise<void> = Promise.resolve()

  constructor(path: string, log: Log) {
    this.#path = path
    this.#log = log
  }

  write(bytes: Buffer): void {
    // The disk does not keep up, or is full.
    if (this.#waiting > UNREAD_LIMIT_BYTES) return
    this.#waiting += bytes.length
    if (this.#bytes + bytes.length > RECORD_LIMIT_BYTES) void this.anew()
    this.#bytes += bytes.length
    this.#turn = this.#turn.then(async () => {
      this.#waiting -= bytes.length
      this.#stream ??= await this.#open()
      if (this.#stream.write(bytes)) return
      const { promise, resolve } = Promise.withResolvers<void>()
      for (const event of ['drain', 'error', 'close']) this.#stream.once(event, () => resolve())
      await promise
    })
  }

  anew(): Promise<void> {
    this.#bytes = 0
    this.#turn = this.#turn.then(async () => {
      await this.#end()
      await rename(this.#path, `${this.#path}.1`).catch(unlessMissing)
    })
    return this.#turn
  }

  async close(): Promise<void> {
    await this.#turn
    await this.#end()
  }

  async #open(): Promise<WriteStream> {
    this.#bytes += (await stat(this.#path).catch(unlessMissing))?.size ?? 0
    const stream = createWriteStream(this.#path, { flags: 'a', mode: 0o600 })
    stream.on('error', (error) => this.#log.warn('console not recorded', { file: this.#path, reason: error.message }))
    return stream
  }

  async #end(): Promise<void> {
    const stream = this.#stream
    this.#stream = undefined
    if (!stream || stream.destroyed) return
    const { promise, resolve } = Promise.withResolvers<void>()
    stream.once('error', () => resolve())
    stream.end(() => resolve())
    await promise
  }
}

/** @throws BmcFailure  no port of the range is free */
async function listenWithin(
  server: Server,
  { host, port_range, taken }: ConsolesOptions & { taken: readonly number[] },
  wanted: number,
): Promise<void> {
  const [first = 0, last = 0] = port_range === '' ? [] : port_range.split(':').map(Number)
  const range = Array.from({ length: last - first + 1 }, (_, index) => first + index)
  const ports = wanted === 0 ? range.filter((port) => !taken.includes(port)) : [wanted]
  for (const port of ports) {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const failed = () => resolve(false)
    server.once('error', failed)
    server.listen(port, host, () => resolve(true))
    const isListening = await promise
    server.off('error', failed)
    if (isListening) return
  }
  throw new BmcFailure(
    wanted === 0
      ? `No port for the console: all of [console] port_range ${port_range} on ${host} are taken.`
      : `The console's port ${wanted} on ${host} (driver_info/ipmi_terminal_port) is taken by another program.`,
  )
}
