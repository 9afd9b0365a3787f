/** An OCI registry. Knows nothing of the appliance: it is given a config and a logger. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { limitsOf } from '@appliance/ground/connection-limits'
import type { Counts, Jobs } from '@appliance/ground/jobs'
import type { Listening } from '@appliance/ground/listen'
import { isLoopback } from '@appliance/ground/networks'
import { createReach } from '@appliance/ground/reach'
import { Access, type Gate } from './access/access.ts'
import { type AdminAnswer, type AdminRequest, administer } from './admin/admin.ts'
import { askRunning, listenForAdmin } from './admin/admin-socket.ts'
import { METRICS_TYPE, RegistryMetrics } from './admin/metrics.ts'
import { publicOf } from './check.ts'
import type { RegistryConfig, RegistryLog, UpstreamConfig } from './config/config.ts'
import { scheduleFor } from './config/schedule.ts'
import { Maintenance } from './gc/maintenance.ts'
import { type Authorize, handle } from './http/handle.ts'
import { listen, openCertificate } from './http/listen.ts'
import { Buffers } from './http/send-blob.ts'
import { NodeImages } from './node-images/node-images.ts'
import { parseName, type RepositoryName } from './oci/names.ts'
import { checkOwner } from './storage/disk/owner.ts'
import { openStorage } from './storage/storage.ts'
import { dropOtherSets, syncJobs } from './sync/sync.ts'
import type { Patience } from './upstream/client.ts'
import { PullThrough } from './upstream/pull-through.ts'
import type { UpstreamStatus } from './upstream/upstream.ts'

export type { AdminAnswer, AdminRequest, Status } from './admin/admin.ts'
export type { Listed } from './admin/list.ts'
export type { RegistryLog } from './config/config.ts'
export type { Authorize } from './http/handle.ts'
export type { HoldProgress } from './node-images/hold.ts'
export { type ContainerImage, type ImageProblem, ImageUnavailable } from './node-images/image.ts'
export type { InspectOptions } from './node-images/inspect.ts'
export type { AccessOptions, HoldOptions, ImageAccess } from './node-images/node-images.ts'
export { parseReference, type Reference } from './oci/reference.ts'
export * from './settings.ts'
export { syncJobNames } from './sync/sync.ts'
export type { UpstreamStatus } from './upstream/upstream.ts'

/** What the caller may ask for a machine: see node-images/node-images.ts. */
export type ImageProvider = Pick<NodeImages, 'inspect' | 'hold' | 'release' | 'revoke' | 'access'>

export type Registry = ImageProvider & {
  /** Answers a request under /v2 and returns true, or returns false when the path is none of the registry's. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<boolean>
  /** Text for Prometheus. */
  metrics(): Promise<string>
  /** The state of each upstream at its last request. */
  upstreams(): readonly UpstreamStatus[]
  /** What it does by itself. */
  readonly jobs: Jobs
  /** As `handle`, for the owner of the folder, who may do everything. */
  handleOwner(request: IncomingMessage, response: ServerResponse): Promise<boolean>
  /** @throws RegistryError  in the operator's words */
  administer(request: AdminRequest, progress: (counts: Counts) => void): Promise<AdminAnswer>
  /** Who may pull what is not for everybody. */
  readonly gate: Gate
  /** After the last request has been answered. */
  close(): Promise<void>
}

export type RegistryGiven = {
  log: RegistryLog
  /** Lets a request pass, or throws. Default: everybody may do everything. */
  authorize?: Authorize
  /** Called with the size of each chunk of a blob or manifest that goes out. */
  onBytes?(bytes: number): void
  /** How long the registry waits for upstreams; tests hurry here. */
  patience?: Partial<Patience>
  /** Options of upstreams that no section names. Default: https, and the defaults of a section. */
  others?: Partial<UpstreamConfig>
  /** The name or address by which machines reach this registry. Default: host_ip. */
  host?: string
  /** The port that the registry listens on. Default: the configured one. */
  port?(): number
  /** Whether clients without credentials may pull from a repository. Default: from all. */
  isOpen?(name: RepositoryName): boolean
  /** Addresses that no upstream has, beside those of bmc_networks. Asked at each connection. Default: none. */
  bmcAddresses?(): Iterable<string>
}

export type RunningRegistry = ImageProvider &
  Pick<Registry, 'metrics' | 'upstreams' | 'jobs'> & {
    port: number
    /**
     * Opens one more socket, on 127.0.0.1 at any free port. Its clients may pull and do nothing else, not even what
     * is open to anyone on this box. Closed with the registry.
     * @returns its port
     */
    openForPulls(): Promise<number>
    stop(): Promise<void>
  }

const EXPIRE_EVERY_MS = 10 * 60_000

/** @throws RegistryError  storage_path cannot be used */
export async function openRegistry(config: RegistryConfig, given: RegistryGiven): Promise<Registry> {
  const { log, onBytes = () => {}, patience, others } = given
  const storage = await openStorage(config)
  const pullThrough = await PullThrough.open(config.upstreams ?? [], {
    storage,
    log,
    reach: reachOf(config, given),
    ...(patience && { patience }),
    ...(others && { others }),
  })
  const nodeImages = new NodeImages({
    storage,
    pullThrough,
    log,
    other_upstreams: config.other_upstreams,
    reached: () => reachedOf(config, given),
    isOpen: given.isOpen ?? (() => true),
  })
  const maintenance = new Maintenance(storage, config, { content: pullThrough.content, log })
  if (config.upstreams) await dropOtherSets(config.upstreams, storage)
  const syncing = { content: pullThrough.content, storage, log }
  for (const job of syncJobs(config.upstreams ?? [], scheduleFor(config, 'sync'), syncing)) maintenance.jobs.add(job)
  const authorize: Authorize = async (request, wanted) => {
    if (wanted.action === 'push' && 'name' in wanted.route) pullThrough.refusePush(wanted.route.name)
    const source = parseName(wanted.query.get('from') ?? '')
    if (source && !pullThrough.isServed(source)) wanted.query.delete('mount')
    const sees = await given.authorize?.(request, wanted)
    if (wanted.route.endpoint !== 'catalog') return sees
    return (name) => pullThrough.isServed(name) && (sees?.(name) ?? true)
  }
  const metrics = new RegistryMetrics()
  const measured = {
    storage,
    maintenance,
    upstreams: () => pullThrough.upstreams,
    release: (owner: string) => nodeImages.release(owner),
  }
  const served = {
    storage,
    content: pullThrough.content,
    buffers: new Buffers(),
    log,
    onBytes: (bytes: number) => {
      metrics.countBytes(bytes)
      onBytes(bytes)
    },
  }
  const expire = () =>
    storage.uploads.expire().then(
      (expired) => expired > 0 && log.info('uploads expired', { expired }),
      (error: Error) => log.error('uploads cannot be cleared away', { error: error.message }),
    )
  const timer = setInterval(expire, EXPIRE_EVERY_MS).unref()
  return {
    handle(request, response) {
      metrics.countAnswer(response)
      return handle(request, response, { ...served, authorize })
    },
    metrics: () => metrics.render(measured),
    upstreams: measured.upstreams,
    jobs: maintenance.jobs,
    handleOwner: (request, response) => handle(request, response, served),
    gate: nodeImages.gate,
    ...providerOf(nodeImages),
    administer: (request, progress) => administer(measured, request, progress),
    async close() {
      clearInterval(timer)
      // All at once: a job that waits for bytes of an upstream must be woken.
      await Promise.all([maintenance.close(), nodeImages.close(), pullThrough.close()])
      await storage.state.close()
      storage.release()
    },
  }
}

const providerOf = (nodeImages: NodeImages): ImageProvider => ({
  inspect: (reference, options) => nodeImages.inspect(reference, options),
  hold: (image, options) => nodeImages.hold(image, options),
  release: (owner) => nodeImages.release(owner),
  revoke: (owner) => nodeImages.revoke(owner),
  access: (image, options) => nodeImages.access(image, options),
})

const reachOf = ({ reachable_networks, bmc_networks = [] }: RegistryConfig, { bmcAddresses }: RegistryGiven) =>
  createReach({
    ...{ allowed: reachable_networks, option: '[registry] reachable_networks' },
    refused: () => [
      { networks: bmc_networks, what: 'in [DEFAULT] bmc_networks' },
      { networks: bmcAddresses?.() ?? [], what: "the address of a node's BMC" },
    ],
  })

/** The addresses by which machines reach the registry. */
function reachedOf({ host_ip, port, cert_file, ca }: RegistryConfig, given: RegistryGiven) {
  const hosts = [given.host ?? host_ip, host_ip, ...(isLoopback(host_ip) ? ['localhost'] : [])]
  const own = hosts.map((host) => `${host.includes(':') ? `[${host}]` : host}:${given.port?.() ?? port}`)
  return { registry: own[0] ?? '', own, insecure: !cert_file, ...(ca !== undefined && { ca }) }
}

/**
 * Opens the registry and listens on host_ip and port; clients may do what access says.
 * @throws RegistryError  storage_path or the address cannot be used
 */
export async function startRegistry(
  config: RegistryConfig,
  log: RegistryLog,
  more: Omit<RegistryGiven, 'log'> = {},
): Promise<RunningRegistry> {
  const certificate = openCertificate(config, log)
  const access = await Access.open(config, log)
  const authorize: Authorize = async (request, wanted) => {
    const sees = await access.authorize(request, wanted)
    await more.authorize?.(request, wanted)
    return sees
  }
  let listening: Listening | undefined
  const forPulls: Listening[] = []
  const port = () => listening?.port ?? config.port
  const isOpen = (name: RepositoryName) => access.isOpen(name)
  const registry = await openRegistry(config, { log, ...more, authorize, port, isOpen })
  access.gate = registry.gate
  const answered = async (request: IncomingMessage, response: ServerResponse) =>
    (await access.handle(request, response)) || (await registry.handle(request, response))
  try {
    listening = await listen(
      async (request, response) => {
        if (await answered(request, response)) return
        await answerOthers(request, response, registry)
      },
      { ...config, limits: limitsOf(config, 'registry', log) },
      certificate,
    )
  } catch (error) {
    await registry.close()
    throw error
  }
  const { administer, handleOwner, inspect, hold, release, revoke, access: accessTo } = registry
  const closeAdmin = await listenForAdmin(config.storage_path, { administer, handle: handleOwner }, log)
  for (const { name } of publicOf(config))
    log.warn("whoever reaches the registry pulls with an upstream's credentials", { upstream: name })
  log.info('registry listens', { host_ip: config.host_ip, port: listening.port, storage_path: config.storage_path })
  return {
    ...{ inspect, hold, release, revoke, access: accessTo },
    port: listening.port,
    metrics: registry.metrics,
    upstreams: registry.upstreams,
    jobs: registry.jobs,
    async openForPulls() {
      const door = await listen(
        async (request, response) => {
          access.markStranger(request)
          if (isRead(request) && (await answered(request, response))) return
          response.writeHead(isRead(request) ? 404 : 405, { 'content-length': 0, connection: 'close' }).end()
        },
        { host_ip: '127.0.0.1', port: 0 },
        certificate,
      )
      forPulls.push(door)
      return door.port
    },
    async stop() {
      await Promise.all([listening, ...forPulls].map((door) => door?.close()))
      await closeAdmin()
      await registry.close()
    },
  }
}

const isRead = ({ method }: IncomingMessage) => method === 'GET' || method === 'HEAD'

/** Paths outside of the registry's API: /metrics of its own port, and nothing else. */
async function answerOthers(request: IncomingMessage, response: ServerResponse, registry: Registry): Promise<void> {
  if (request.method !== 'GET' || request.url !== '/metrics') {
    response.writeHead(404, { 'content-length': 0 }).end()
    return
  }
  try {
    const text = Buffer.from(await registry.metrics())
    response.writeHead(200, { 'content-type': METRICS_TYPE, 'content-length': text.length }).end(text)
  } catch {
    // The disk cannot be counted; requests that need it say so themselves.
    response.writeHead(500, { 'content-length': 0 }).end()
  }
}

/**
 * Asks the registry that runs on the folder, or, when none does, opens the folder for the time of the answer.
 * @throws RegistryError  in the operator's words
 */
export async function askRegistry(
  config: RegistryConfig,
  log: RegistryLog,
  asked: { request: AdminRequest; progress?: (counts: Counts) => void },
): Promise<AdminAnswer> {
  const { request, progress = () => {} } = asked
  const answer = await askRunning(config.storage_path, request, progress)
  if (answer !== undefined) return answer
  await checkOwner(config.storage_path)
  const registry = await openRegistry(config, { log })
  try {
    return await registry.administer(request, progress)
  } finally {
    await registry.close()
  }
}
