/**
 * A registry out in the world, as the rack sees it: Debian's docker-registry, which only the appliance can reach, and
 * which can be cut off.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { run } from './run-program.ts'

export type UpstreamOptions = {
  folder: string
  log: string
  /** Runs a command in the rack's network. */
  enter: readonly string[]
  /** Only who has SECRET may pull and push. */
  isPrivate?: boolean
  signal: AbortSignal
}

/** On the namespace's loopback: machines can't reach it. */
const ADDRESS = '127.0.0.1:5056'
export const UPSTREAM_URL = `http://${ADDRESS}`
/** user:password, and its line of an htpasswd file (bcrypt: docker-registry takes nothing else). */
export const SECRET = 'rack:upstream-secret'
const HTPASSWD = 'rack:$2a$05$4bzNhkY2Yl0y0m4d5xkLuOR27hcCsZAWz2dpMTvOdRUv83aIi4vDu'
const START_DEADLINE_MS = 20_000
/** Of Apache's combined log, which it writes: method, path, status, bytes. */
const ACCESS = /"(\w+) (\S+) HTTP[^"]*" (\d+) (\d+)/

export class UpstreamRegistry {
  readonly options: UpstreamOptions
  #process: ChildProcess | undefined
  #ended: Promise<unknown> = Promise.resolve()
  #bytesSent = 0
  #requests = 0

  constructor(options: UpstreamOptions) {
    this.options = options
  }

  /** Manifests and blobs that it gave to its clients since it was first started. */
  get bytesSent(): number {
    return this.#bytesSent
  }
  get requests(): number {
    return this.#requests
  }

  /** Back in the world, with all that was pushed. @throws Error  it does not answer in time */
  async start(): Promise<void> {
    const { folder, log, enter, isPrivate = false } = this.options
    const passwords = join(folder, 'htpasswd')
    const config = join(folder, 'registry.yml')
    await mkdir(folder, { recursive: true })
    await writeFile(passwords, `${HTPASSWD}\n`)
    await writeFile(
      config,
      `version: 0.1
log: { level: info }
storage: { cache: { blobdescriptor: inmemory }, filesystem: { rootdirectory: ${join(folder, 'content')} } }
http: { addr: ${ADDRESS} }
${isPrivate ? `auth: { htpasswd: { realm: upstream, path: ${passwords} } }` : ''}
`,
    )
    const [command = '', ...args] = [...enter, 'docker-registry', 'serve', config]
    const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    this.#ended = once(child, 'close').catch(() => {})
    const file = createWriteStream(log, { flags: 'a' })
    const listens = Promise.withResolvers<void>()
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        file.write(`${line}\n`)
        if (line.includes('listening on')) listens.resolve()
        this.#take(line)
      })
    }
    const deadline = AbortSignal.any([this.options.signal, AbortSignal.timeout(START_DEADLINE_MS)])
    const fail = () => listens.reject(new Error(`docker-registry, the rack's upstream, did not start; read ${log}`))
    deadline.addEventListener('abort', fail)
    void this.#ended.then(fail)
    await listens.promise.finally(() => deadline.removeEventListener('abort', fail))
  }

  /** Gone from one moment to the next; connections to it are refused. */
  async cut(): Promise<void> {
    this.#process?.kill('SIGKILL')
    await this.#ended
  }

  /** @param source  as skopeo names it, oci:FOLDER. @param name  org/app:tag */
  async push(source: string, name: string): Promise<void> {
    const { enter, signal, isPrivate = false } = this.options
    const options = ['--quiet', '--preserve-digests', '--dest-tls-verify=false']
    if (isPrivate) options.push('--dest-creds', SECRET)
    const [command = '', ...args] = [...enter, 'skopeo', 'copy', ...options]
    await run(command, [...args, source, `docker://${ADDRESS}/${name}`], { signal })
  }

  #take(line: string): void {
    const [, method, path, status, bytes] = ACCESS.exec(line) ?? []
    if (method === undefined || !path?.startsWith('/v2/')) return
    this.#requests += 1
    if (method === 'GET' && Number(status) < 300) this.#bytesSent += Number(bytes)
  }
}
