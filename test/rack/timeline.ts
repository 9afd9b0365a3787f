/**
 * What happened to one machine and when: the appliance's log lines and the machine's own signs become stages. Only
 * records.
 */
import type { LogLine } from './appliance.ts'

/** Something that is over. Seconds count from the deploy call; before it they are negative. */
export type Stage = { name: string; at_s: number; took_s?: number; bytes?: number; note?: string }
/** What goes on now. */
export type Activity = { name: string; since_ms: number; done?: number; total?: number; note?: string }

/** What goes on with one machine; `activity` may be absent for a moment. */
export type Ongoing = { name: string; elapsed_s: number; activity: Activity | undefined }
type Mark = { name: string; at_ms: number; took_s?: number; bytes?: number; note?: string }
export type TimelineOptions = {
  name: string
  mac: string
  /** Size of the deploy ramdisk's files, to tell when all of it is over. */
  ramdisk_bytes: number
  /** Called with each stage as it ends. */
  onStage?: (timeline: Timeline, stage: Stage) => void
}

const text = (value: unknown) => (typeof value === 'string' ? value : '')
const number = (value: unknown) => (typeof value === 'number' ? value : undefined)

export class Timeline {
  readonly options: TimelineOptions
  /** Of the node, when it is known. */
  uuid: string | undefined
  activity: Activity | undefined
  /** last_error of a failed deploy. */
  failure: string | undefined
  /** When something was last heard. */
  heard_ms = Date.now()
  ip: string | undefined
  readonly #marks: Mark[] = []
  #called_ms: number | undefined
  #fetched = { bytes: 0, since_ms: 0, at_ms: 0 }

  constructor(options: TimelineOptions) {
    this.options = options
  }

  get name(): string {
    return this.options.name
  }
  get stages(): Stage[] {
    return this.#marks.map((mark) => this.#stage(mark))
  }
  get isActive(): boolean {
    return this.has('active')
  }
  get isHome(): boolean {
    return this.has('phone-home')
  }
  has(stage: string): boolean {
    return this.#marks.some(({ name }) => name === stage)
  }
  at_s(stage: string): number | undefined {
    return this.stages.find(({ name }) => name === stage)?.at_s
  }
  /** Seconds since the deploy call. */
  get elapsed_s(): number {
    return this.#called_ms === undefined ? 0 : (Date.now() - this.#called_ms) / 1000
  }

  mark(name: string, at_ms: number, more: Omit<Mark, 'name' | 'at_ms'> = {}): void {
    const mark = { name, at_ms, ...more }
    this.#marks.push(mark)
    this.heard_ms = Date.now()
    // A step goes on while other things happen to the machine.
    if (!this.activity?.name.startsWith('step ') || this.activity.name === name) this.activity = undefined
    this.options.onStage?.(this, this.#stage(mark))
  }

  /** The machine itself: its plug, not what the appliance believes. */
  takePower(power: 'on' | 'off'): void {
    if (this.#called_ms === undefined || this.isHome) return
    const again = this.has('machine off')
    this.mark(power === 'off' ? 'machine off' : again ? 'machine on again' : 'machine on', Date.now())
    if (power === 'on') this.#begin(again ? 'operating system boots' : 'firmware, DHCP')
  }

  takePhoneHome(call: { time: string; path: string }): void {
    if (this.#called_ms === undefined || this.isHome) return
    const hostname = new URL(call.path, 'http://rack').searchParams.get('hostname')
    this.mark('phone-home', Date.parse(call.time), { note: hostname ? `it calls itself ${hostname}` : undefined })
  }

  /** Bytes that the wire carried so far, while nobody else tells of progress. */
  takeWire(bytes: number): void {
    if (this.activity?.name === 'ramdisk comes') this.activity.done = bytes
  }

  takeLine(line: LogLine): void {
    const at_ms = Date.parse(line.time)
    const mine =
      line.node === this.uuid || line.mac === this.options.mac || (line.ip !== undefined && line.ip === this.ip)
    if (!mine) return
    this.heard_ms = Date.now()
    HANDLERS[line.message]?.(this, line, at_ms)
  }

  takeState(to: string, at_ms: number, last_error: string): void {
    if (to === 'deploying' && this.#called_ms === undefined) {
      this.#called_ms = at_ms
      this.mark('deploy called', at_ms)
    } else if (to === 'active') this.mark('active', at_ms)
    else if (to === 'available') this.mark('enrolled', at_ms)
    else if (/failed|^error$/.test(to)) this.failure = last_error || `the node is "${to}" and says no reason`
    else if (to === 'enroll' && last_error) this.failure = last_error
  }

  takeLease(ip: string, at_ms: number): void {
    this.ip = ip
    if (this.has('machine on') && !this.has('DHCP')) this.mark('DHCP', at_ms, { note: ip })
  }

  takeScript(boot: string, at_ms: number): void {
    if (this.has('machine off') || this.#called_ms === undefined) return
    this.mark('iPXE', at_ms, { note: boot === 'agent' ? undefined : `sent to boot: ${boot}` })
    if (boot === 'agent') this.#begin('ramdisk comes', this.options.ramdisk_bytes)
  }

  takeFile(bytes: number, duration_s: number, at_ms: number): void {
    const fetched = this.#fetched
    if (fetched.since_ms === 0) fetched.since_ms = at_ms - duration_s * 1000
    fetched.bytes += bytes
    fetched.at_ms = at_ms
    if (fetched.bytes >= this.options.ramdisk_bytes) this.#endRamdisk()
  }

  takeLookup(at_ms: number): void {
    this.#endRamdisk()
    if (!this.has('lookup')) this.mark('lookup', at_ms)
  }

  takeHeartbeat(at_ms: number): void {
    if (!this.has('heartbeat')) this.mark('heartbeat', at_ms)
  }

  takeStep(step: string, how: 'started' | 'finished', at_ms: number, took_s: number | undefined): void {
    if (how === 'started') {
      this.#begin(step)
      return
    }
    const bytes = this.activity?.name === step ? this.activity.done : undefined
    this.mark(step, at_ms, { took_s, bytes })
  }

  takeProgress(note: string, done: number | undefined, total: number | undefined): void {
    if (this.activity === undefined) this.#begin(note)
    // The image is made ready while the machine boots; that is not what the machine does.
    const { activity } = this
    if (activity && (activity.name === note || activity.name.startsWith('step ')))
      Object.assign(activity, { done, total, ...(activity.name === note ? {} : { note }) })
  }

  #endRamdisk(): void {
    const { bytes, since_ms, at_ms } = this.#fetched
    if (bytes === 0 || this.has('ramdisk fetched')) return
    this.mark('ramdisk fetched', at_ms, { bytes, took_s: (at_ms - since_ms) / 1000 })
    this.#begin('ramdisk boots')
  }

  #begin(name: string, total?: number): void {
    this.activity = { name, since_ms: Date.now(), total }
  }

  #stage({ at_ms, ...mark }: Mark): Stage {
    const called_ms = this.#called_ms ?? at_ms
    return { ...mark, at_s: Math.round(at_ms - called_ms) / 1000 }
  }
}

const HANDLERS: Readonly<Record<string, (timeline: Timeline, line: LogLine, at_ms: number) => void>> = {
  'provision state changed': (timeline, line, at_ms) => timeline.takeState(text(line.to), at_ms, text(line.last_error)),
  'dhcp lease': (timeline, line, at_ms) => timeline.takeLease(text(line.ip), at_ms),
  'boot script served': (timeline, line, at_ms) => timeline.takeScript(text(line.boot), at_ms),
  'boot file served': (timeline, line, at_ms) =>
    timeline.takeFile(number(line.bytes) ?? 0, number(line.duration_s) ?? 0, at_ms),
  'agent looked up': (timeline, _line, at_ms) => timeline.takeLookup(at_ms),
  'agent heartbeat': (timeline, _line, at_ms) => timeline.takeHeartbeat(at_ms),
  'step started': (timeline, line, at_ms) => timeline.takeStep(stepName(line), 'started', at_ms, undefined),
  'step finished': (timeline, line, at_ms) =>
    timeline.takeStep(stepName(line), 'finished', at_ms, number(line.duration_s)),
  'image served': (timeline, line, at_ms) =>
    timeline.mark('image sent', at_ms, {
      bytes: number(line.bytes),
      took_s: number(line.duration_s),
      note: text(line.encoding) || undefined,
    }),
  progress: (timeline, line) => timeline.takeProgress(text(line.note), number(line.done), number(line.total)),
}

const stepName = (line: LogLine) => `step ${text(line.interface)}.${text(line.step)}`
