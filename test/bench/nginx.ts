/** nginx with sendfile, as a yardstick for serving files; only when it is installed already. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

export type Nginx = AsyncDisposable & { pid: number; url: string }

/** Not every user's PATH has them. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin']
const START_DEADLINE_MS = 10_000

/**
 * @param root  folder that it serves
 * @param upstream  of which it is a cache, instead
 * @returns undefined when there is no nginx on this box
 */
export async function startNginx(root: string, upstream?: string): Promise<Nginx | undefined> {
  const folders = [...(process.env.PATH ?? '').split(':'), ...SYSTEM_FOLDERS]
  const program = folders.map((place) => join(place, 'nginx')).find((path) => existsSync(path))
  if (!program) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'bench-nginx-'))
  const port = await freePort()
  const user = process.getuid?.() === 0 ? 'user root;\n' : ''
  await writeFile(
    join(folder, 'nginx.conf'),
    `${user}worker_processes 1;\npid ${folder}/pid;\nerror_log stderr;\nevents {}\n` +
      'http {\n  access_log off; sendfile on; tcp_nopush on; sendfile_max_chunk 1m;\n' +
      `  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(' ')}\n` +
      `  proxy_cache_path ${folder}/cache keys_zone=cache:1m use_temp_path=off;\n` +
      `  server { listen 127.0.0.1:${port}; ${upstream ? cacheOf(upstream) : `root ${root};`} }\n}\n`,
  )
  const args = ['-c', join(folder, 'nginx.conf'), '-e', 'stderr', '-g', 'daemon off;']
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()).once('error', () => resolve()))
  const dispose = async () => {
    child.kill('SIGTERM')
    await closed
    await rm(folder, { recursive: true })
  }
  const deadline = performance.now() + START_DEADLINE_MS
  while (!(await answers(port))) {
    if (child.exitCode === null && performance.now() < deadline) await setTimeout(50)
    else {
      await dispose()
      throw new Error('nginx did not start; its reason is above')
    }
  }
  return { pid: child.pid ?? 0, url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: dispose }
}

/** One transfer however many ask. */
const cacheOf = (upstream: string) =>
  `location / { proxy_pass ${upstream}; proxy_cache cache; proxy_cache_lock on; proxy_cache_lock_timeout 60s; proxy_cache_lock_age 60s; ` +
  'proxy_cache_valid 200 1h; proxy_http_version 1.1; proxy_set_header connection ""; }'

const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

/** nginx cannot take port 0; nobody else takes ports of the loopback in between. */
const freePort = () =>
  new Promise<number>((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
