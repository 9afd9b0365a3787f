/** Racks whose machines are deployed from a container, and what the operating systems there tell of themselves. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type BootcImage, ensureBootcImage } from '../rack/bootc-image/build.ts'
import { type ContainerImage, OWN_HOST, OWN_REPOSITORY, OWN_TAG, prepareContainer } from '../rack/container-image.ts'
import { type DeployOptions, deployRack } from '../rack/deploy.ts'
import type { Rack, RackOptions } from '../rack/rack.ts'
import { run } from '../rack/run-program.ts'
import type { PhoneHome } from '../rack/steel/hardware.ts'
import type { Timeline } from '../rack/timeline.ts'
import { SECRET } from '../rack/upstream-registry.ts'
import { PREPARE_DEADLINE_MS, rackFor } from './racks.ts'

/** An install takes minutes under emulation, and longer on a busy box. */
export const INSTALL_DEADLINE_MS = 2_700_000
const SILENCE_LIMIT_S = 900
const GIB = 1024 ** 3
const DISK_BYTES = 8 * GIB
const HOME_DEADLINE_S = 600
/** What the rack's own container is called upstream. */
export const NAME = `${OWN_REPOSITORY}:${OWN_TAG}`

/** What the upstream asks for when it is private, as a registry's auth file has it. */
export const PULL_SECRET = Buffer.from(SECRET).toString('base64')

export type Containers = { rack: Rack; image: ContainerImage; versions: BootcImage }

/** @returns a rack whose upstream has version 1 of the rack's own container. Ends with the test. */
export async function containerRack(
  test: TestContext,
  { isPrivate = false, ...options }: Partial<RackOptions> & { isPrivate?: boolean } = {},
): Promise<Containers> {
  const signal = AbortSignal.timeout(PREPARE_DEADLINE_MS)
  const [image, versions] = [await prepareContainer(undefined, signal), await ensureBootcImage(signal)]
  test.diagnostic(`with the ${versions.kind}`)
  const containers = { host: OWN_HOST, isPrivate, ...(isPrivate ? {} : { sync: NAME }) }
  const rack = await rackFor(test, { images: [], disk_bytes: DISK_BYTES, containers, ...options })
  test.after(() => rack[Symbol.asyncDispose]())
  await rack.upstream?.push(image.source, NAME)
  return { rack, image, versions }
}

/** One machine. @throws RackFailed with the reason */
export async function deployContainer(
  { rack, image }: Containers,
  machine: number,
  instance_info: Readonly<Record<string, string>>,
  more: Partial<DeployOptions> = {},
): Promise<{ timeline: Timeline; report: HostReport }> {
  const report = nextReport(rack, machine, INSTALL_DEADLINE_MS / 1000)
  report.catch(() => {})
  const signal = AbortSignal.timeout(INSTALL_DEADLINE_MS)
  const [timeline] = await deployRack(rack, {
    ...{ image, instance_info, signal, machines: [machine], silence_limit_s: SILENCE_LIMIT_S },
    ...{ onStage() {}, onOngoing() {} },
    ...more,
  })
  if (!timeline) throw new Error('the rack has no such machine')
  return { timeline, report: await report }
}

/** What an operating system of ours tells when it is up. */
export type HostReport = {
  version: string
  /** By `bootc status`. */
  reference: string
  digest: string
  keys: string
  /** meta_data.json of the config drive. */
  config_drive: unknown
  root_bytes: number
  firmware: string
  ip: string
}

function read({ ip, path, body }: PhoneHome): HostReport {
  const [fields, query] = [new URLSearchParams(body), new URL(path, 'http://rack').searchParams]
  const field = (name: string) => (fields.get(name) ?? '').trim()
  const { image, imageDigest } = JSON.parse(field('status')).status.booted.image
  return {
    version: field('version'),
    reference: image.image,
    digest: imageDigest,
    keys: field('keys'),
    config_drive: field('config_drive') === '' ? undefined : JSON.parse(field('config_drive')),
    root_bytes: Number(field('root_bytes')),
    firmware: query.get('firmware') ?? '',
    ip,
  }
}

export function assertDeployed({ image }: Containers, name: string, report: HostReport, keys: string): void {
  assert.deepEqual(
    [report.version, report.reference, report.digest, report.keys],
    ['1', image.reference, image.digest, keys],
  )
  assert.deepEqual(report.config_drive, { uuid: name, name, hostname: name })
  assert.ok(report.root_bytes > 6.5 * GIB, `the root file system has ${report.root_bytes} bytes of a disk of 8 GiB`)
}

/** The next time that this machine phones home. @throws Error  not in time, or it tells nonsense */
export function nextReport(rack: Rack, machine: number, timeout_s = HOME_DEADLINE_S): Promise<HostReport> {
  const mac = rack.hardware.machines[machine]?.options.mac
  const { promise, resolve, reject } = Promise.withResolvers<HostReport>()
  const late = () => reject(new Error(`machine ${machine + 1} did not phone home within ${timeout_s} s`))
  // A test that has failed meanwhile is not to be waited for.
  const timer = setTimeout(late, timeout_s * 1000).unref()
  rack.hardware.onPhoneHome((call) => {
    if (call.mac !== mac) return
    clearTimeout(timer)
    try {
      resolve(read(call))
    } catch (error) {
      reject(new Error(`machine ${machine + 1} phoned home with ${call.body.slice(0, 2000)}`, { cause: error }))
    }
  })
  return promise
}

export type Key = { file: string; text: string }

export async function createKey(comment: string): Promise<Key> {
  const file = join(await mkdtemp(join(tmpdir(), 'rackstrap-key-')), 'key')
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file])
  return { file, text: (await readFile(`${file}.pub`, 'utf8')).trim() }
}

/** Runs a command on the machine, as root, by its key. @throws CommandFailed */
export function onMachine(rack: Rack, ip: string, key: Key, command: string, timeout_s = 300): Promise<string> {
  const trust = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR']
  // It phones home before its own ssh listens.
  const patience = ['ConnectTimeout=30', 'ConnectionAttempts=120']
  const options = [...trust, ...patience].flatMap((option) => ['-o', option])
  const [enter = '', ...args] = rack.hardware.network.enter
  return run(enter, [...args, 'ssh', ...options, '-i', key.file, `root@${ip}`, command], { timeout_s })
}
