/**
 * The registry mirror beside Debian's docker-registry and nginx with sendfile, where they are installed: blobs,
 * manifests, pushes, cold pulls, start, memory. node test/bench/registry.bench.ts [--blob-mib 256] [--gib 4]
 * [--seconds 5]
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { cpuSecondsOfFamily, GIB, MIB, memoryMib, printTable, type Row, round, saveResult } from './measure.ts'
import { startNginx } from './nginx.ts'
import { answerBytes, askAgain, fetchOnce, pushBlob, send, type Target } from './registry-client.ts'
import { measureColdPulls } from './registry-cold.ts'
import { type RegistryServer, startDockerRegistry, startOurs } from './registry-servers.ts'

const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== '--'),
  options: {
    'blob-mib': { type: 'string', default: '256' },
    gib: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '5' },
  },
  strict: false,
})
const blob_mib = Number(values['blob-mib'])
const served_bytes = Number(values.gib) * GIB
const seconds = Number(values.seconds)
const BLOB_CLIENTS = [1, 32]
const MANIFEST_CLIENTS = 16
const NAME = 'bench/image'
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

/** What every server is given. */
type Content = { content: readonly Buffer[]; digest: string; manifest: Buffer }
type Server = { name: string; pid: number; blob: Target; manifest: Target }

const digestOf = (chunks: readonly Buffer[]) => {
  const hash = createHash('sha256')
  for (const chunk of chunks) hash.update(chunk)
  return `sha256:${hash.digest('hex')}`
}
const randomChunks = () => Array.from({ length: blob_mib }, () => randomBytes(MIB))

function makeContent(): Content {
  const content = randomChunks()
  const digest = digestOf(content)
  const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf([Buffer.from('{}')]), size: 2 }
  const layers = [{ mediaType: 'application/octet-stream', digest, size: blob_mib * MIB }]
  return {
    content,
    digest,
    manifest: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers })),
  }
}

/** Fills a registry. @returns how quickly it took the blob */
async function measurePush({ name, pid, port }: RegistryServer, { content, digest, manifest }: Content): Promise<Row> {
  const empty = [Buffer.from('{}')]
  await pushBlob(port, NAME, { digest: digestOf(empty), content: empty })
  const cpu_before = cpuSecondsOfFamily(pid)
  const began = performance.now()
  await pushBlob(port, NAME, { digest, content })
  const took_s = (performance.now() - began) / 1000
  const cpu_s = cpuSecondsOfFamily(pid) - cpu_before
  const headers = { 'content-type': MANIFEST, 'content-length': String(manifest.length) }
  await send(port, 'PUT', `/v2/${NAME}/manifests/latest`, { expected: 201, headers, content: [manifest] })
  return { server: name, 'MiB/s': round(blob_mib / took_s, 0), 'CPU s/GiB': round((cpu_s * 1024) / blob_mib, 2) }
}

async function measureBlobs({ name, pid, blob }: Server, clients: number): Promise<Row> {
  await fetchOnce(blob)
  const cpu_before = cpuSecondsOfFamily(pid)
  const began = performance.now()
  let bytes = 0
  const client = async () => {
    while (bytes < served_bytes) {
      const more = await fetchOnce(blob)
      bytes += more
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  const took_s = (performance.now() - began) / 1000
  return {
    server: name,
    clients,
    'MiB/s': round(bytes / MIB / took_s, 0),
    'CPU s/GiB': round((cpuSecondsOfFamily(pid) - cpu_before) / (bytes / GIB), 2),
    'peak MiB': memoryMib(pid).peak,
  }
}

async function measureManifests({ name, pid, manifest }: Server): Promise<Row> {
  const bytes = await answerBytes(manifest)
  // Compiled and cached by then.
  await askAgain(manifest, bytes, performance.now() + 1000)
  const cpu_before = cpuSecondsOfFamily(pid)
  const began = performance.now()
  const until = began + seconds * 1000
  const lists = await Promise.all(Array.from({ length: MANIFEST_CLIENTS }, () => askAgain(manifest, bytes, until)))
  const took_s = (performance.now() - began) / 1000
  const sorted = lists.flat().sort((one, other) => one - other)
  const at = (part: number) => round(sorted[Math.floor(sorted.length * part)] ?? Number.NaN, 2)
  return {
    server: name,
    clients: MANIFEST_CLIENTS,
    'manifests/s': round(sorted.length / took_s, 0),
    'p50 ms': at(0.5),
    'p99 ms': at(0.99),
    'CPU ms each': round(((cpuSecondsOfFamily(pid) - cpu_before) / sorted.length) * 1000, 3),
  }
}

const serverOf = ({ name, pid, port }: RegistryServer, { digest }: Content): Server => ({
  name,
  pid,
  blob: { port, path: `/v2/${NAME}/blobs/${digest}` },
  manifest: { port, path: `/v2/${NAME}/manifests/latest` },
})

async function main(place: string): Promise<void> {
  const content = makeContent()
  await using ours = await startOurs(place)
  await using docker = await startDockerRegistry(place)
  const root = join(place, 'root')
  await mkdir(root)
  await writeFile(join(root, 'blob'), content.content)
  await writeFile(join(root, 'manifest'), content.manifest)
  await using nginx = await startNginx(root)
  const registries = docker ? [ours, docker] : [ours]
  const start = registries.map(({ name, startup_s, idle_mib }) => ({
    server: name,
    'start-up s': round(startup_s, 2),
    'idle MiB': idle_mib,
  }))
  printTable('Start', start)
  const push: Row[] = []
  for (const registry of registries) push.push(await measurePush(registry, content))
  printTable(`Push of a blob of ${blob_mib} MiB, by one client`, push)
  const servers = registries.map((registry) => serverOf(registry, content))
  if (nginx) {
    const port = Number(new URL(nginx.url).port)
    servers.push({
      name: 'nginx',
      pid: nginx.pid,
      blob: { port, path: '/blob' },
      manifest: { port, path: '/manifest' },
    })
  }
  const blobs: Row[] = []
  for (const clients of BLOB_CLIENTS) for (const server of servers) blobs.push(await measureBlobs(server, clients))
  printTable(`Blobs of ${blob_mib} MiB on the loopback, the clients on the same cores`, blobs)
  const manifests: Row[] = []
  for (const server of servers) manifests.push(await measureManifests(server))
  printTable(
    `Manifests of ${content.manifest.length} bytes by tag, ${MANIFEST_CLIENTS} connections that are kept`,
    manifests,
  )
  const cold = await measureColdPulls(place, ours, `/v2/${NAME}/blobs/${content.digest}`)
  printTable(`Cold pull of that blob over a line of 100 MiB/s: the worst of all clients`, cold)
  if (!docker) process.stdout.write('skipped: docker-registry as a yardstick (apt-get install docker-registry)\n')
  if (!nginx) process.stdout.write('skipped: nginx as a yardstick (apt-get install nginx-light, if it is wanted)\n')
  await saveResult('registry', { blob_mib, start, push, blobs, manifests, cold })
}

const place = await mkdtemp(join(tmpdir(), 'bench-registry-'))
try {
  await main(place)
} finally {
  await rm(place, { recursive: true })
}
