/**
 * Registries as processes of their own, each with a folder and a port of the loopback: ours, and Debian's
 * docker-registry where it is installed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { memoryMib } from './measure.ts'

export type RegistryServer = AsyncDisposable & {
  name: string
  pid: number
  port: number
  /** Until it answers. */
  startup_s: number
  idle_mib: number
}

const DOCKER_REGISTRY = '/usr/bin/docker-registry'
const CLI = join(import.meta.dirname, '../../appliance/cli.ts')
const START_DEADLINE_MS = 20_000
const STOP_DEADLINE_MS = 8_000
const LOOK_EVERY_MS = 5

/** @param upstream  what it serves as up/..., pulled through */
export async function startOurs(place: string, upstream?: string): Promise<RegistryServer> {
  const port = await freePort()
  await mkdir(place, { recursive: true })
  const config = join(place, 'rackstrap.conf')
  const section = upstream ? `[upstream:up]\nurl = ${upstream}\ninsecure = true\n` : ''
  const own = `[registry]\nreachable_networks = 127.0.0.1\nport = ${port}\nstorage_path = ${join(place, 'ours')}\n`
  await writeFile(config, `${own}${section}`)
  return start('registry-mirror', [process.execPath, CLI, 'registry', 'serve', '--config', config], port)
}

/**
 * @param upstream  of which it is a mirror
 * @returns undefined when it is not installed
 */
export async function startDockerRegistry(place: string, upstream?: string): Promise<RegistryServer | undefined> {
  if (!existsSync(DOCKER_REGISTRY)) return undefined
  const port = await freePort()
  const root = join(place, 'docker-registry')
  await mkdir(root, { recursive: true })
  const config = join(place, 'docker-registry.yml')
  await writeFile(
    config,
    'version: 0.1\nlog: { level: error, accesslog: { disabled: true } }\n' +
      `storage: { cache: { blobdescriptor: inmemory }, filesystem: { rootdirectory: ${root} } }\n` +
      `http: { addr: 127.0.0.1:${port} }\n${upstream ? `proxy: { remoteurl: "${upstream}" }\n` : ''}`,
  )
  return start('docker-registry', [DOCKER_REGISTRY, 'serve', config], port)
}

async function start(name: string, command: readonly string[], port: number): Promise<RegistryServer> {
  const began = performance.now()
  const child = spawn(String(command[0]), command.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] })
  while (!(await answers(port))) {
    if (child.exitCode !== null || performance.now() - began > START_DEADLINE_MS) {
      child.kill('SIGKILL')
      throw new Error(`${name} did not start; its reason is above`)
    }
    await setTimeout(LOOK_EVERY_MS)
  }
  const startup_s = (performance.now() - began) / 1000
  const pid = child.pid ?? 0
  return {
    name,
    pid,
    port,
    startup_s,
    idle_mib: memoryMib(pid).rss,
    [Symbol.asyncDispose]: () => stop(child),
  }
}

async function stop(child: ChildProcess): Promise<void> {
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  child.kill('SIGTERM')
  const timer = globalThis.setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
  await closed
  clearTimeout(timer)
}

const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    request({ port, host: '127.0.0.1', path: '/v2/', agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
      .once('error', () => resolve(false))
      .end()
  })

/** docker-registry tells nobody its port; nobody else takes ports of the loopback in between. */
const freePort = () =>
  new Promise<number>((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
