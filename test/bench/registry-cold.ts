/** A cold pull: many clients ask at one time for a blob that only the upstream has. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { cpuSecondsOfFamily, MIB, type Row, round } from './measure.ts'
import { startNginx } from './nginx.ts'
import { fetchTimed, type Target } from './registry-client.ts'
import { type RegistryServer, startDockerRegistry, startOurs } from './registry-servers.ts'

const CLIENTS = 16
/** Of a line to the world; without it, the upstream's own speed would be all that is seen. */
const LINE_MIB_PER_S = 100

/** A line to the upstream, of bounded speed, that counts what comes. */
async function startLine(port: number): Promise<AsyncDisposable & { url: string; bytes: () => number }> {
  let bytes = 0
  let free_at = 0
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    client.pipe(upstream)
    upstream.on('data', (chunk) => {
      bytes += chunk.length
      upstream.pause()
      const now = performance.now()
      free_at = Math.max(free_at, now) + (chunk.length / MIB / LINE_MIB_PER_S) * 1000
      client.write(chunk, () => setTimeout(() => upstream.resume(), Math.max(free_at - performance.now(), 0)))
    })
    upstream.on('end', () => client.end())
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const)
      one.on('error', () => other.destroy()).on('close', () => other.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bytes: () => bytes,
    [Symbol.asyncDispose]: async () => void server.close(),
  }
}

type Mirror = { name: string; pid: number; blob: Target }

async function measure({ name, pid, blob }: Mirror, line: { bytes: () => number }): Promise<Row> {
  const cpu_before = cpuSecondsOfFamily(pid)
  const bytes_before = line.bytes()
  const all = await Promise.all(Array.from({ length: CLIENTS }, () => fetchTimed(blob)))
  const worst = (times: readonly number[]) => round(Math.max(...times), 2)
  return {
    server: name,
    clients: CLIENTS,
    'upstream MiB': round((line.bytes() - bytes_before) / MIB, 0),
    'first byte s': worst(all.map(({ first_s }) => first_s)),
    'last byte s': worst(all.map(({ last_s }) => last_s)),
    'CPU s': round(cpuSecondsOfFamily(pid) - cpu_before, 2),
  }
}

/**
 * @param path  of the blob on the upstream.
 * @returns a row for each mirror that is installed; the worst of all clients counts
 */
export async function measureColdPulls(place: string, upstream: RegistryServer, path: string): Promise<Row[]> {
  await using line = await startLine(upstream.port)
  const rows: Row[] = []
  {
    await using ours = await startOurs(join(place, 'cold-ours'), line.url)
    rows.push(await measure({ ...ours, blob: { port: ours.port, path: path.replace('/v2/', '/v2/up/') } }, line))
  }
  {
    await using docker = await startDockerRegistry(join(place, 'cold-docker'), line.url)
    if (docker) rows.push(await measure({ ...docker, blob: { port: docker.port, path } }, line))
  }
  {
    await using nginx = await startNginx(place, line.url)
    if (nginx) {
      const blob = { port: Number(new URL(nginx.url).port), path }
      rows.push(await measure({ name: 'nginx proxy_cache', pid: nginx.pid, blob }, line))
    }
  }
  return rows
}
