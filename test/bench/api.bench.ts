/**
 * The API from outside, with 0, 1,000 and 10,000 nodes: start-up time, memory, requests a second, CPU time a request.
 * node test/bench/api.bench.ts [--nodes 0,1000,10000] [--seconds 3]
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Pool } from 'undici'
import { CHECKOUT } from '../rack/cache.ts'
import { startChild } from './child.ts'
import { fill } from './many-nodes.ts'
import { cpuSeconds, memoryMib, printTable, type Row, round, saveResult, secondsSince } from './measure.ts'

/** As Ironic's clients ask. */
const HEADERS = { accept: 'application/json', 'x-openstack-ironic-api-version': '1.115' }
const READERS = 4
const WRITERS = 64
const SETTLE_MS = 1_000

const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== '--'),
  options: { nodes: { type: 'string', default: '0,1000,10000' }, seconds: { type: 'string', default: '3' } },
  strict: false,
})
const seconds = Number(values.seconds)

type Request = Parameters<Pool['request']>[0]
type Load = { pid: number; pool: Pool; clients: number; request(turn: number): Request }

/** Each client asks again as soon as it has its answer. */
async function load({ pid, pool, clients, request }: Load) {
  const until = performance.now() + seconds * 1000
  const cpu_before = cpuSeconds(pid)
  const began = performance.now()
  let turn = 0
  let answers = 0
  let bytes = 0
  const client = async () => {
    while (performance.now() < until) {
      const { statusCode, body } = await pool.request(request(turn++))
      const text = await body.bytes()
      if (statusCode >= 300) throw new Error(`answer ${statusCode}: ${Buffer.from(text).toString().slice(0, 300)}`)
      bytes += text.length
      answers++
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  const took_s = (performance.now() - began) / 1000
  return {
    per_s: round(answers / took_s, 0),
    cpu_ms: round(((cpuSeconds(pid) - cpu_before) * 1000) / answers, 2),
    kib: round(bytes / answers / 1024),
  }
}

async function measureLoads(pid: number, api: string, uuids: readonly string[]): Promise<Row> {
  const pool = new Pool(api, { connections: WRITERS, pipelining: 1 })
  const some = (turn: number) => uuids[(turn * 7919) % uuids.length]
  const get = (path: (turn: number) => string) => (turn: number) => ({
    method: 'GET' as const,
    path: path(turn),
    headers: HEADERS,
  })
  const patch = (turn: number) => ({
    method: 'PATCH' as const,
    path: `/v1/nodes/${uuids[turn % uuids.length]}`,
    headers: { ...HEADERS, 'content-type': 'application/json' },
    body: JSON.stringify([{ op: 'add', path: '/extra/turn', value: turn }]),
  })
  try {
    const readers = { pid, pool, clients: READERS }
    const page = (turn: number) => `/v1/nodes/?limit=100&marker=${uuids[(turn * 100) % (uuids.length - 100)]}`
    const list = await load({ ...readers, request: get(page) })
    const detail = await load({ ...readers, request: get((turn) => page(turn).replace('/?', '/detail?')) })
    const show = await load({ ...readers, request: get((turn) => `/v1/nodes/${some(turn)}`) })
    const write = await load({ pid, pool, clients: WRITERS, request: patch })
    return {
      'list/s': list.per_s,
      'list CPU ms': list.cpu_ms,
      'detail/s': detail.per_s,
      'detail CPU ms': detail.cpu_ms,
      'show/s': show.per_s,
      'show CPU ms': show.cpu_ms,
      'show KiB': show.kib,
      [`PATCH/s (${WRITERS})`]: write.per_s,
      'PATCH CPU ms': write.cpu_ms,
    }
  } finally {
    await pool.destroy()
  }
}

async function measure(count: number): Promise<Row> {
  const state_path = await mkdtemp(join(tmpdir(), 'bench-api-'))
  try {
    const uuids = await fill(state_path, count)
    const config = join(state_path, 'bench.conf')
    await writeFile(
      config,
      `[DEFAULT]\nstate_path = ${state_path}\nmy_ip = 127.0.0.1\n[api]\nhost_ip = 127.0.0.1\nport = 0\n` +
        '[deploy]\nhttp_url = http://127.0.0.1:0\n[dhcp]\ndhcp_provider = none\n[conductor]\nsync_power_state_interval = 0\n',
    )
    const began = performance.now()
    await using appliance = startChild(['serve', '--config', config], join(CHECKOUT, 'appliance/rackstrap'))
    const { api } = await appliance.told('listening')
    const start_s = secondsSince(began)
    const start_cpu_s = round(cpuSeconds(appliance.pid), 2)
    await setTimeout(SETTLE_MS)
    const at_rest = memoryMib(appliance.pid).rss
    const loads = count > 100 ? await measureLoads(appliance.pid, String(api), uuids) : {}
    const { rss: after_load, peak } = memoryMib(appliance.pid)
    return {
      ...{ nodes: count, 'start s': start_s, 'start CPU s': start_cpu_s },
      ...{ 'RSS MiB': at_rest, 'after MiB': after_load, 'peak MiB': peak },
      ...loads,
    }
  } finally {
    await rm(state_path, { recursive: true })
  }
}

const rows: Row[] = []
for (const count of String(values.nodes).split(',').map(Number)) rows.push(await measure(count))
printTable(`API: ${READERS} readers (lists of 100), ${WRITERS} writers, ${seconds} s each`, rows)
await saveResult('api', { seconds, readers: READERS, writers: WRITERS, rows })
