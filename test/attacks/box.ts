/** A real appliance on loopback, as a process of its own, for tests that attack it from outside. */
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { startChild } from '../bench/child.ts'
import { memoryMib } from '../bench/measure.ts'
import { CHECKOUT } from '../rack/cache.ts'

export type Box = {
  pid: number
  state_path: string
  /** Bases of addresses, without a slash at the end. */
  api: string
  http: string
  /** Undefined without [registry] enabled. */
  registry: string | undefined
  lines: readonly { message: string; [field: string]: unknown }[]
  told: ReturnType<typeof startChild>['told']
  /** A value of /metrics. */
  metric(name: string): Promise<number>
}

/**
 * @param settings  more of its configuration, in whole sections
 * @throws Error  with its last words, when it does not start
 */
export async function startBox(t: { after(end: () => unknown): void }, settings = ''): Promise<Box> {
  const folder = await mkdtemp(join(tmpdir(), 'rackstrap-box-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const state_path = join(folder, 'state')
  const config = join(folder, 'rackstrap.conf')
  const places = {
    DEFAULT: `state_path = ${state_path}\nmy_ip = 127.0.0.1\nenabled_hardware_types = fake-hardware`,
    api: 'host_ip = 127.0.0.1\nport = 0',
    deploy: 'http_url = http://127.0.0.1:0',
  }
  const sections = Object.entries(places).map(([name, lines]) => `[${name}]\n${lines}\n`)
  await writeFile(config, `${sections.join('')}${settings}`)
  const child = startChild(['serve', '--config', config], join(CHECKOUT, 'appliance/rackstrap'))
  t.after(() => child[Symbol.asyncDispose]())
  const { api, http } = await child.told('listening')
  const registry_port = child.lines.find(({ message }) => message === 'registry listens')?.port
  const box: Box = {
    pid: child.pid,
    state_path,
    api: String(api),
    http: String(http),
    registry: registry_port === undefined ? undefined : `http://127.0.0.1:${registry_port}`,
    lines: child.lines,
    told: child.told,
    async metric(name) {
      const text = await (await fetch(`${box.api}/metrics`)).text()
      const line = text.split('\n').find((one) => one.startsWith(`${name} `) || one.startsWith(`${name}{`))
      if (line === undefined) throw new Error(`/metrics has no ${name}`)
      return Number(line.slice(line.lastIndexOf(' ') + 1))
    },
  }
  return box
}

export type Seen<T> = {
  result: T
  /** Most processor time that the event loop took for one thing: what neighbours on this machine do is not in it. */
  busy_s: number
  /** How much more memory the box had at its worst moment than before. */
  grown_mib: number
  /** What another client got, who asked for the nodes all the while. */
  others: { answered: number; worst_s: number }
}

/** Does something to the box while another client asks it for its nodes. @throws Error  he was not answered */
export async function during<T>(box: Box, act: () => Promise<T>): Promise<Seen<T>> {
  await box.metric(BUSY)
  // proc(5): 5 sets the peak back.
  await writeFile(`/proc/${box.pid}/clear_refs`, '5')
  const before = memoryMib(box.pid).rss
  let isOver = false
  let answered = 0
  let worst_s = 0
  const other = async () => {
    do {
      const began = performance.now()
      // As each command of a client does: a connection of its own.
      const answer = await fetch(`${box.api}/v1/nodes`, { headers: { connection: 'close' } })
      if (answer.status !== 200) throw new Error(`another client's GET was answered ${answer.status}`)
      await answer.arrayBuffer()
      worst_s = Math.max(worst_s, (performance.now() - began) / 1000)
      answered++
      await setTimeout(5)
    } while (!isOver)
  }
  const asking = other()
  const result = await act().finally(() => {
    isOver = true
  })
  await asking
  const busy_s = await box.metric(BUSY)
  return { result, busy_s, grown_mib: memoryMib(box.pid).peak - before, others: { answered, worst_s } }
}

const TRIES = 3

/**
 * The run of at most three in which the event loop was busy the least: what stands it still does so in each, while the
 * processor time of one turn is more on a busy machine now and then.
 */
export async function quietest<T>(limit_s: number, attack: () => Promise<Seen<T>>): Promise<Seen<T>> {
  let best = await attack()
  for (let tries = 1; tries < TRIES && best.busy_s >= limit_s; tries++) {
    const seen = await attack()
    if (seen.busy_s < best.busy_s) best = seen
  }
  return best
}

const BUSY = 'rackstrap_event_loop_busy_max_seconds'

/**
 * Sends bytes as they are, one piece after the other as fast as they are taken, and reads all that comes back.
 * @returns what the box said before the connection was closed
 */
export async function sendRaw(base: string, pieces: Iterable<Uint8Array | string>): Promise<string> {
  const { hostname, port } = new URL(base)
  const socket = connect(Number(port), hostname)
  const said: Buffer[] = []
  socket.on('data', (bytes) => said.push(bytes))
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()).on('error', () => resolve()))
  const write = async () => {
    for (const piece of pieces) {
      if (socket.destroyed) return
      if (!socket.write(piece)) await Promise.race([once(socket, 'drain').catch(() => {}), closed])
    }
  }
  await Promise.all([write(), closed])
  socket.destroy()
  return Buffer.concat(said).toString()
}

/** The same characters again and again, so many bytes of them. */
export function* repeated(unit: string, bytes: number): Generator<Uint8Array> {
  const piece = Buffer.from(unit.repeat(Math.ceil((64 * 1024) / unit.length)))
  for (let left = bytes; left > 0; left -= piece.length) yield left < piece.length ? piece.subarray(0, left) : piece
}
