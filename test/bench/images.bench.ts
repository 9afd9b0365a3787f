/**
 * Images: how long it takes until one can be served (copy, verify, compress), and how quickly and at what cost it is
 * served, beside nginx with sendfile where that is installed. node test/bench/images.bench.ts [--size-mib 1536]
 * [--data-mib 350] [--gib 4]
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import type { ServedImage } from '../../appliance/plugin-api/index.ts'
import { type Child, startChild } from './child.ts'
import { cpuSecondsOfFamily, GIB, MIB, memoryMib, printTable, type Row, round, saveResult } from './measure.ts'
import { startNginx } from './nginx.ts'

const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== '--'),
  options: {
    'size-mib': { type: 'string', default: '1536' },
    'data-mib': { type: 'string', default: '350' },
    gib: { type: 'string', default: '4' },
  },
  strict: false,
})
const size_mib = Number(values['size-mib'])
const data_mib = Number(values['data-mib'])
const served_bytes = Number(values.gib) * GIB
const CLIENTS = [1, 8]
/** An operating system's data is about a third of its size as zstd -3: of each block of 4 KiB so much is noise. */
const BLOCK = 4096
const NOISE = 1200

/** Data a MiB at a time, holes between. @returns sha256 of the whole image, holes included */
async function makeImage(path: string): Promise<string> {
  await using file = await open(path, 'w')
  const hash = createHash('sha256')
  const data = Buffer.alloc(MIB)
  const hole = Buffer.alloc(MIB)
  const dataBefore = (at: number) => Math.floor((at * data_mib) / size_mib)
  for (let at = 0; at < size_mib; at++) {
    const isData = dataBefore(at + 1) > dataBefore(at)
    if (isData) {
      const noise = randomBytes((MIB / BLOCK) * NOISE)
      data.fill(`line ${at} of a text that comes again and again, as in an operating system\n`)
      for (let block = 0; block < MIB / BLOCK; block++)
        noise.copy(data, block * BLOCK, block * NOISE, (block + 1) * NOISE)
      // A boot sector makes a disk of it.
      if (dataBefore(at) === 0) data.writeUInt16LE(0xaa55, 510)
      await file.write(data, 0, MIB, at * MIB)
    }
    hash.update(isData ? data : hole)
  }
  await file.truncate(size_mib * MIB)
  return hash.digest('hex')
}

/**
 * Into one buffer again and again: node:http would make a new one for each piece, and be the brake itself.
 * @returns bytes that came
 */
function fetchOnce(url: string, encoding: string): Promise<number> {
  const { hostname, port, pathname } = new URL(url)
  return new Promise((resolve, reject) => {
    const buffer = Buffer.allocUnsafe(MIB)
    let bytes = 0
    const callback = (count: number) => {
      if (bytes === 0 && !buffer.subarray(0, 12).equals(OK)) {
        socket.destroy(new Error(`${url}: answer ${buffer.subarray(0, 40).toString()}`))
      }
      bytes += count
      return true
    }
    const socket = connect({ host: hostname, port: Number(port), onread: { buffer, callback } })
    socket.once('error', reject).once('close', () => resolve(bytes))
    socket.write(
      `GET ${pathname} HTTP/1.1\r\nhost: ${hostname}\r\naccept-encoding: ${encoding}\r\nconnection: close\r\n\r\n`,
    )
  })
}
const OK = Buffer.from('HTTP/1.1 200')

type Served = { name: string; pid: number; url: string; encoding: string }

async function measureServing({ name, pid, url, encoding }: Served, clients: number): Promise<Row> {
  await fetchOnce(url, encoding)
  const cpu_before = cpuSecondsOfFamily(pid)
  const began = performance.now()
  let bytes = 0
  const client = async () => {
    while (bytes < served_bytes) {
      const more = await fetchOnce(url, encoding)
      bytes += more
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  const took_s = (performance.now() - began) / 1000
  return {
    server: name,
    encoding,
    clients,
    'MiB/s': round(bytes / MIB / took_s, 0),
    'CPU s/GiB': round((cpuSecondsOfFamily(pid) - cpu_before) / (bytes / GIB), 2),
    'peak MiB': memoryMib(pid).peak,
  }
}

async function resolving(server: Child): Promise<{ rows: Row[]; served: ServedImage }> {
  const first = await server.told('resolved first')
  const again = await server.told('resolved again')
  const row = (what: string, { seconds, cpu_s }: typeof first): Row => ({
    what,
    seconds: round(Number(seconds), 2),
    'own CPU s': round(Number(cpu_s), 2),
  })
  const timed = server.lines
    .filter((line) => typeof line.duration_s === 'number')
    .map((line) => ({ what: `  ${line.message}`, seconds: round(Number(line.duration_s), 2) }))
  const served = first.served as ServedImage
  const forms = served.variants.map(({ encoding, size_bytes }) => ({
    what: `form ${encoding}`,
    MiB: round(size_bytes / MIB),
  }))
  return { rows: [row('first node', first), ...timed, row('second node', again), ...forms], served }
}

async function main(place: string): Promise<void> {
  const image = join(place, 'image.raw')
  const sha256 = await makeImage(image)
  await using server = startChild([join(import.meta.dirname, 'image-server.ts'), place, image, sha256])
  const { rows: resolve, served } = await resolving(server)
  printTable(`Resolve of a raw image: ${size_mib} MiB with ${data_mib} MiB of data`, resolve)
  const ours = { name: 'appliance', pid: server.pid, url: served.url }
  const candidates: Served[] = ['identity', ...served.variants.map(({ encoding }) => encoding)].map((encoding) => ({
    ...ours,
    encoding,
  }))
  await using nginx = await startNginx(place)
  if (nginx) {
    candidates.push({ name: 'nginx', pid: nginx.pid, url: `${nginx.url}/${basename(image)}`, encoding: 'identity' })
  }
  const serve: Row[] = []
  for (const candidate of candidates) {
    for (const clients of CLIENTS) serve.push(await measureServing(candidate, clients))
  }
  printTable('Serving it on the loopback, the clients on the same cores', serve)
  if (!nginx) process.stdout.write('skipped: nginx as a yardstick (apt-get install nginx-light, if it is wanted)\n')
  await saveResult('images', { size_mib, data_mib, resolve, serve })
}

const place = await mkdtemp(join(tmpdir(), 'bench-images-'))
try {
  await main(place)
} finally {
  await rm(place, { recursive: true })
}
