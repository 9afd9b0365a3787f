/**
 * Many nodes: 10,000 enrolled, 500 of them deployed by agents that speak the real protocol over the wire, 48 heartbeats
 * a second, and clients that ask the API all the while. How long each answer takes, by phase; errors; memory.
 * node test/bench/fleet.bench.ts [--nodes 10000] [--deploys 500] [--steady 30] [--ramdisk FOLDER]
 */
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Pool } from 'undici'
import type { Node } from '../../appliance/records/kinds/node.ts'
import { CHECKOUT } from '../rack/cache.ts'
import { ensureRamdisk } from '../rack/ramdisk.ts'
import { type Child, startChild } from './child.ts'
import { Fleet } from './fleet.ts'
import { fill } from './many-nodes.ts'
import { cpuSeconds, memoryMib, printTable, type Row, round, saveResult, secondsSince } from './measure.ts'

/** As Ironic's clients ask. */
const HEADERS = { accept: 'application/json', 'x-openstack-ironic-api-version': '1.115' }
const HEARTBEATS_PER_S = 48
const ASKS_PER_S = 20
const STARTS_AT_ONCE = 16
const PHASE_DEADLINE_MS = 600_000
const LOOK_MS = 250
const IMAGE_BYTES = 4 * 1024 * 1024
const BOOT_SIGNATURE_AT = 510

const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== '--'),
  options: {
    nodes: { type: 'string', default: '10000' },
    deploys: { type: 'string', default: '500' },
    steady: { type: 'string', default: '30' },
    ramdisk: { type: 'string' },
  },
  strict: false,
})
const nodes = Number(values.nodes)
const deploys = Number(values.deploys)

/** What was asked, and how long each answer took, since the phase began. */
class Phase {
  readonly took_ms = new Map<string, number[]>()
  readonly codes = new Map<number, number>()
  readonly #began = performance.now()
  readonly #cpu_before: number
  readonly #pid: number

  constructor(pid: number) {
    this.#pid = pid
    this.#cpu_before = cpuSeconds(pid)
  }

  async timed<T extends { statusCode: number }>(what: string, ask: () => Promise<T>): Promise<T> {
    const began = performance.now()
    const answer = await ask()
    this.took_ms.set(what, [...(this.took_ms.get(what) ?? []), performance.now() - began])
    this.codes.set(answer.statusCode, (this.codes.get(answer.statusCode) ?? 0) + 1)
    return answer
  }

  rows(name: string, busy_max_s: number): Row[] {
    const seconds = secondsSince(this.#began)
    const rows = [...this.took_ms].map(([what, took_ms]): Row => {
      const sorted = took_ms.toSorted((one, other) => one - other)
      const at = (share: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
      const { length } = took_ms
      return { phase: name, what, asked: length, 'p50 ms': at(0.5), 'p99 ms': at(0.99), 'worst ms': at(1) }
    })
    const of = (least: number, below: number) =>
      [...this.codes].filter(([code]) => code >= least && code < below).reduce((sum, [, count]) => sum + count, 0)
    const load = round(((cpuSeconds(this.#pid) - this.#cpu_before) * 100) / seconds, 0)
    const { rss, peak } = memoryMib(this.#pid)
    const total = { seconds, 'CPU %': load, '4xx': of(400, 500), '5xx': of(500, 600) }
    return [
      ...rows,
      { phase: name, what: 'all', ...total, 'busy max ms': round(busy_max_s * 1000), 'RSS MiB': rss, 'peak MiB': peak },
    ]
  }
}

type Bench = { appliance: Child; api: string; pool: Pool; fleet: Fleet; uuids: readonly string[]; phase: Phase }

async function busyMax_s(api: string): Promise<number> {
  const text = await (await fetch(`${api}/metrics`)).text()
  return Number(/^rackstrap_event_loop_busy_max_seconds (\S+)$/m.exec(text)?.[1])
}

/** What an operator's tools ask, one after the other. */
const ASKS: readonly ((
  turn: number,
  uuid: string,
) => { what: string; method: 'GET' | 'PATCH'; path: string; body?: string })[] = [
  (_turn, uuid) => ({ what: 'one node', method: 'GET', path: `/v1/nodes/${uuid}` }),
  (_turn, uuid) => ({ what: 'list of 100', method: 'GET', path: `/v1/nodes?limit=100&marker=${uuid}` }),
  (_turn, uuid) => ({ what: 'detail of 100', method: 'GET', path: `/v1/nodes/detail?limit=100&marker=${uuid}` }),
  (turn, uuid) => ({
    ...{ what: 'PATCH', method: 'PATCH', path: `/v1/nodes/${uuid}` },
    body: JSON.stringify([{ op: 'add', path: '/extra/turn', value: turn }]),
  }),
  () => ({ what: 'list by state', method: 'GET', path: '/v1/nodes?provision_state=wait%20call-back&limit=100' }),
  (_turn, uuid) => ({ what: 'states', method: 'GET', path: `/v1/nodes/${uuid}/states` }),
]

/** Asks by the clock, whether or not the answer before is there. */
async function askAllTheWhile(bench: Bench, over: AbortSignal): Promise<void> {
  const open = new Set<Promise<unknown>>()
  for (let turn = 0; !over.aborted; turn++) {
    const uuid = bench.uuids[(turn * 7919) % bench.uuids.length] ?? ''
    const ask = ASKS[turn % ASKS.length]?.(turn, uuid)
    if (!ask) break
    const { what, method, path, body } = ask
    const headers = { ...HEADERS, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }
    const asked = bench.phase.timed(what, async () => {
      const answer = await bench.pool.request({ method, path, headers, body })
      await answer.body.bytes()
      return answer
    })
    open.add(asked)
    void asked.finally(() => open.delete(asked))
    await pause(1000 / ASKS_PER_S)
  }
  await Promise.all(open)
}

async function startDeploys({ pool, fleet, uuids, ...bench }: Bench): Promise<void> {
  const left = Array.from({ length: deploys }, (_, index) => index)
  const worker = async () => {
    for (let index = left.shift(); index !== undefined; index = left.shift()) {
      const answer = await bench.phase.timed('deploy', () =>
        pool.request({
          ...{ method: 'PUT', path: `/v1/nodes/${uuids[index]}/states/provision` },
          headers: { ...HEADERS, 'content-type': 'application/json' },
          body: '{"target":"active"}',
        }),
      )
      const text = await answer.body.text()
      if (answer.statusCode !== 202) throw new Error(`deploy: ${answer.statusCode} ${text.slice(0, 300)}`)
      fleet.powerOn(index)
    }
  }
  await Promise.all(Array.from({ length: STARTS_AT_ONCE }, worker))
}

async function until(what: string, look: () => boolean): Promise<void> {
  const deadline = performance.now() + PHASE_DEADLINE_MS
  while (!look()) {
    if (performance.now() > deadline) throw new Error(`${what} within ${PHASE_DEADLINE_MS / 1000} s did not come`)
    await pause(LOOK_MS)
  }
}

async function prepare(folder: string): Promise<{ config: string; uuids: string[] }> {
  const image = join(folder, 'image.raw')
  const bytes = Buffer.alloc(IMAGE_BYTES)
  bytes.writeUInt16BE(0x55aa, BOOT_SIGNATURE_AT)
  await writeFile(image, bytes)
  const image_checksum = createHash('sha256').update(bytes).digest('hex')
  const ramdisk_path = values.ramdisk ?? (await ensureRamdisk(AbortSignal.timeout(PHASE_DEADLINE_MS))).folder
  const fake = { power: 'fake', management: 'fake', boot: 'ipxe', deploy: 'direct' }
  const uuids = await fill(join(folder, 'state'), nodes, (index) =>
    index < deploys
      ? {
          provision_state: 'available',
          power_state: 'power off',
          interfaces: { ...NO_INTERFACES, ...fake } as Node['interfaces'],
          instance_info: { image_source: `file://${image}`, image_checksum, image_disk_format: 'raw' },
        }
      : {},
  )
  const config = join(folder, 'bench.conf')
  await writeFile(
    config,
    `[DEFAULT]\nstate_path = ${join(folder, 'state')}\nmy_ip = 127.0.0.1\nenabled_hardware_types = fake-hardware\n` +
      'reachable_networks = 127.0.0.0/8\n' +
      '[api]\nhost_ip = 127.0.0.1\nport = 0\ncheck_boot_number = False\ncheck_machine_address = False\n' +
      `[deploy]\nhttp_url = http://127.0.0.1:0\n[dhcp]\ndhcp_provider = none\n[pxe]\nramdisk_path = ${ramdisk_path}\n` +
      `[conductor]\nmax_concurrent_deploy = ${deploys}\nfile_url_allowed_paths = ${folder}\n` +
      '[agent]\npost_deploy_get_power_state_retry_interval = 0\n',
  )
  return { config, uuids }
}
const NO_INTERFACES = Object.fromEntries(
  ['bios', 'console', 'firmware', 'inspect', 'raid', 'rescue', 'vendor']
    .map((type) => [type, `no-${type}`])
    .concat([
      ['network', 'noop'],
      ['storage', 'noop'],
    ]),
)

async function measure(folder: string): Promise<Row[]> {
  const { config, uuids } = await prepare(folder)
  await using appliance = startChild(['serve', '--config', config], join(CHECKOUT, 'appliance/rackstrap'))
  const api = String((await appliance.told('listening')).api)
  const pool = new Pool(api, { connections: 32, pipelining: 1 })
  const rows: Row[] = []
  const bench: Bench = { appliance, api, pool, uuids, phase: new Phase(appliance.pid), fleet: undefined as never }
  await using fleet = new Fleet({
    ...{ api, count: deploys, every_ms: (deploys * 1000) / HEARTBEATS_PER_S },
    timed: (what, ask) => bench.phase.timed(what, ask),
  })
  bench.fleet = fleet
  const over = new AbortController()
  const asking = askAllTheWhile(bench, over.signal)
  const next = async (name: string) => {
    rows.push(...bench.phase.rows(name, await busyMax_s(api)))
    bench.phase = new Phase(appliance.pid)
  }
  await busyMax_s(api)
  await startDeploys(bench)
  await until('an agent of each node', () => fleet.writing === deploys)
  await next('starting')
  await pause(Number(values.steady) * 1000)
  await next('steady')
  fleet.finishWriting()
  await until('the end of each deploy', () => fleet.ended === deploys)
  await next('ending')
  over.abort()
  await asking
  await pool.destroy()
  const { length: failed } = appliance.lines.filter(({ message }) => message === 'deploy failed')
  return [...rows, { phase: 'after', what: 'deploys that failed', asked: failed }]
}

const folder = await mkdtemp(join(tmpdir(), 'bench-fleet-'))
try {
  const rows = await measure(folder)
  printTable(`${nodes} nodes, ${deploys} deploying, ${HEARTBEATS_PER_S} heartbeats/s, ${ASKS_PER_S} requests/s`, rows)
  await saveResult('fleet', { nodes, deploys, heartbeats_per_s: HEARTBEATS_PER_S, rows })
} finally {
  await rm(folder, { recursive: true })
}
