/** Builds all objects of the appliance, starts them and stops them again. No other file does. */
import { join } from 'node:path'
import { limitsOf } from '@appliance/ground/connection-limits'
import type { Jobs } from '@appliance/ground/jobs'
import { openReserve } from '@appliance/ground/reserve'
import { checkRamdisk, createIsLeased, createPxe, type MachineBoot, type Pxe, type PxeConfig } from '@appliance/pxe'
import { createApi, createRamdiskApi } from './api/app.ts'
import { filesKeyOf, giveFilesKey } from './conductor/boot/files-key.ts'
import { type ConductorService, startConductor } from './conductor/start.ts'
import type { Config } from './config/options.ts'
import { ConfigInvalid } from './config/read.ts'
import { messageOf } from './errors.ts'
import { createGuests } from './guest/guest.ts'
import { bmcAddressesOf } from './hardware/bmc-addresses.ts'
import { consolesOf } from './hardware/hardware.ts'
import { createImages } from './images/create-images.ts'
import { listenForJobs } from './jobs/jobs-socket.ts'
import { certificateJobs, conductorJobs, startJobs } from './jobs/own-jobs.ts'
import type { Log } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { type RackHandler, startRackServer } from './rack-server.ts'
import { createHistories } from './records/histories.ts'
import { createInspections } from './records/inspections.ts'
import { openStore } from './records/open-store.ts'
import type { Store } from './records/store.ts'
import { apiUrlOf, rackAddressOf } from './serve/addresses.ts'
import { openApiTls } from './serve/api-tls.ts'
import { caHandler, casOf } from './serve/ca-handler.ts'
import { refuseForeignFolders } from './serve/check/owners.ts'
import { problemsOf } from './serve/check-settings.ts'
import { watchEventLoop } from './serve/event-loop.ts'
import {
  apiHealth,
  mirrorHealth,
  pluginHealth,
  problemOfRamdisk,
  ramdiskHealth,
  storeHealth,
  strangersHealth,
  withRepairs,
} from './serve/health.ts'
import { hiddenOf } from './serve/hidden.ts'
import { cannotListen } from './serve/listen.ts'
import { answersAbout, LivePlugins, loadedOf, type Reloaded } from './serve/live-plugins.ts'
import type { Mirror } from './serve/mirror.ts'
import { networkDataSchema } from './serve/network-data-schema.ts'
import { openOperatorFace } from './serve/operator-face.ts'
import { publishedHandler } from './serve/published-handler.ts'
import { ramdiskHandler } from './serve/ramdisk-handler.ts'
import type { Settings } from './serve/settings.ts'
import { createOperations } from './web/operations.ts'

export type Appliance = {
  /** Where it listens. */
  api_url: string
  http_url: string
  /** False: systemd should restart the appliance. */
  isAlive(): Promise<boolean>
  /** Ends within 5 s. Waits go on after the next start. */
  stop(): Promise<void>
  /** Takes what is on the disk now. */
  reloadPlugins(): Promise<Reloaded>
}

/** @throws ApplianceError, PxeError  in the operator's words; nothing is left running then */
export async function startAppliance(settings: Settings, log: Log, version: string): Promise<Appliance> {
  const problems = problemsOf(settings)
  if (problems.length > 0) throw new ConfigInvalid(problems.join('\n'))
  refuseForeignFolders(settings)
  const stack = new AsyncDisposableStack()
  try {
    return await assemble(settings, { log, version, stack })
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

type Ground = { log: Log; version: string; stack: AsyncDisposableStack }

async function assemble(settings: Settings, ground: Ground): Promise<Appliance> {
  const { config } = settings
  const { log, stack } = ground
  const metrics = createMetrics()
  stack.defer(watchEventLoop(metrics.observeEventLoop))
  const store = await openStore({ state_path: config.DEFAULT.state_path, log })
  stack.defer(() => store.close())
  const reserve = await openReserve(config.DEFAULT.state_path, config.DEFAULT.min_free)

  const rack = await startRack(config, { ...ground, metrics })
  const bmcAddresses = () => [...store.nodes.all()].flatMap(({ driver_info }) => bmcAddressesOf(driver_info))
  const images = createImages({
    ...{ config, log, reserve, bmcAddresses },
    http_url: () => rack.http_url,
    door: {
      keyOf: (uuid) => filesKeyOf({ store }, uuid),
      giveKey: (uuid) => giveFilesKey({ store }, uuid),
      mayFetch: (uuid, key = '', address) => conductor.mayFetch(uuid, address, key),
    },
    onBytes: (bytes) => metrics.countBytes('image', bytes),
  })
  stack.defer(() => images.close())

  const consoles = consolesOf(config, log)
  stack.defer(() => consoles.close())
  await consoles.sweep((uuid) => store.nodes.get(uuid) !== undefined)
  const mirror = config.registry.enabled ? await mirrorOf(settings, log, bmcAddresses) : undefined
  stack.defer(() => mirror?.stop())
  const mirror_port = (await mirror?.openForPulls()) ?? 0
  const conductor = startConductor({
    hostname: config.DEFAULT.host,
    ...{ store, config, log, images },
    ...loadedOf(settings.config, { log, consoles }, settings.pluginSet),
    ...(mirror && { registry: mirror.ofNodes }),
    guests: createGuests({
      ramdisk_path: config.pxe.ramdisk_path,
      folder: join(config.DEFAULT.state_path, 'guests'),
      reserve,
      mirror: () => mirror && { host: '127.0.0.1', port: mirror_port, called_port: mirror.port },
      log,
    }),
    isLeased: createIsLeased(pxeConfigOf(config, rack.http_url)),
    checkRamdisk: (wanted) => checkRamdisk(config.pxe.ramdisk_path, wanted),
    folder: join(config.DEFAULT.state_path, 'procedures'),
    inspections: createInspections(join(config.DEFAULT.state_path, 'inspections')),
    histories: createHistories(join(config.DEFAULT.state_path, 'histories'), {
      max_entries: config.conductor.node_history_max_entries,
      minimum_days: config.conductor.node_history_minimum_days,
    }),
    reserve,
    hidden: hiddenOf(config, settings.source.path, settings.registry),
    api_url: () => rack.agent_url,
    http_url: () => rack.http_url,
    onProcedureEnd(kind, result) {
      if (kind === 'deploy') metrics.countDeploy(result === 'done' ? 'active' : 'failed')
      if (kind === 'clean') metrics.countCleaning(result === 'done' ? 'clean' : 'failed')
    },
  })
  stack.defer(() => conductor.stop())
  const plugins = new LivePlugins({ file: settings.source, config, log }, settings.pluginSet, (set) =>
    conductor.takePlugins(loadedOf(config, { log, consoles }, set)),
  )

  const tls = await openApiTls(config, log)
  const ca = () => casOf(mirror?.ca, tls?.ca)
  const pxe = rack.serve(conductor, [
    (request, response) => images.handle(request, response),
    caHandler(ca),
    publishedHandler(conductor, log),
    ramdiskHandler(createRamdiskApi({ conductor, store, config, log, metrics }), rack.http_url),
  ])
  const health = healthOf({ settings, store, pxe, mirror, plugins, conductor })
  const moreMetrics = async () => (await mirror?.metrics()) ?? ''
  const app = createOperations({ health, metrics, moreMetrics, version: ground.version, ca })
  const ironic = createApi({ conductor, store, config, log, metrics, ...networkDataSchema(config) })
  app.notFound((call) => ironic.fetch(call.req.raw, call.env))
  const api = await openOperatorFace({ config, log, metrics, tls, inner: app.fetch })
  stack.defer(() => api.close())

  await conductor.recover()
  const own = [...conductorJobs(conductor, config.conductor, config.sensor_data), ...certificateJobs([mirror, tls])]
  const jobs = startJobs(own, log)
  stack.defer(() => jobs.close())
  const engines = [jobs, ...(mirror ? [mirror.jobs] : [])]
  stack.defer(await listenForJobs(config.DEFAULT.state_path, engines, log, answersAbout(plugins)))
  gauges(metrics, store, jobs)
  if (config.sensor_data.send_sensor_data) metrics.samples(SENSORS, () => conductor.sensors.values())
  await pxe.start()
  const reason = await problemOfRamdisk(config.pxe.ramdisk_path)
  if (reason !== undefined) log.warn('no machine can be deployed or cleaned', { reason })
  stack.defer(() => pxe.stop())
  const api_url = apiUrlOf(config, api.port)
  log.info('listening', { api: api_url, http: rack.http_url, state_path: config.DEFAULT.state_path })
  return {
    api_url,
    http_url: rack.http_url,
    reloadPlugins: () => plugins.reload(),
    isAlive: async () => (await storeHealth(config.DEFAULT.state_path)).healthy,
    async stop() {
      // These stop at the same time: each may have to wait a moment for somebody outside. The rest has nothing to
      // wait for then.
      await Promise.all([api.close(), rack.close(), pxe.stop(), conductor.stop(), jobs.close(), mirror?.stop()])
      await stack.disposeAsync()
    },
  }
}

/** The code of the registry mirror is a hundred files: they are read where it is enabled. */
async function mirrorOf(settings: Settings, log: Log, bmcAddresses: () => Iterable<string>) {
  const { startMirror } = await import('./serve/mirror.ts')
  const { nodeRegistryOf } = await import('./serve/node-registry.ts')
  const mirror = await startMirror(settings, log, { bmcAddresses })
  return { ...mirror, ofNodes: nodeRegistryOf(mirror, settings.config.oci) }
}

/** Listens on the rack's side first: what machines are told depends on the port. */
async function startRack(config: Config, { log, stack, metrics }: Ground & { metrics: Metrics }) {
  const address = rackAddressOf(config)
  const handlers: RackHandler[] = []
  const server = await startRackServer(
    { ...address.listen, limits: limitsOf(config.api, 'api', log) },
    handlers,
    log,
  ).catch((error: unknown) => {
    throw cannotListen(address.listen, '[deploy] http_url', error)
  })
  stack.defer(() => server.close())
  const http_url = address.urlFor(server.port)
  return {
    http_url,
    agent_url: address.agentUrlFor(server.port),
    close: () => server.close(),
    serve(conductor: ConductorService, others: readonly RackHandler[]): Pxe {
      const pxe = createPxe(pxeConfigOf(config, http_url), {
        log,
        machineBootOf: (mac, address): Promise<MachineBoot> => conductor.bootAsked(mac, address),
        isoBootOf: (node, number) => conductor.isoBootOf(node, number),
        ...(config.auto_discovery.enabled && {
          discoveryOf: (mac: string, address: string) => conductor.discoveryBootOf(mac, address),
        }),
        onRefused: (node, reason) => conductor.bootRefused(node, reason),
        onBytes: (bytes) => metrics.countBytes('boot', bytes),
      })
      handlers.push((request, response) => pxe.handle(request, response), ...others)
      return pxe
    },
  }
}

function pxeConfigOf({ DEFAULT, dhcp, pxe }: Config, http_url: string): PxeConfig {
  return {
    dhcp_provider: dhcp.dhcp_provider,
    state_path: DEFAULT.state_path,
    tftp_root: pxe.tftp_root,
    http_url,
    interface: dhcp.interface ?? '',
    dhcp_ranges: dhcp.dhcp_range,
    routers: dhcp.router,
    dns_servers: dhcp.dns_servers,
    ntp_servers: dhcp.ntp_servers,
    dnsmasq_options: dhcp.dnsmasq_options,
    ipxe_bootfile_name: pxe.ipxe_bootfile_name,
    uefi_ipxe_bootfile_name: pxe.uefi_ipxe_bootfile_name,
    ipxe_path: pxe.ipxe_path,
    ramdisk_path: pxe.ramdisk_path,
  }
}

type Watched = {
  settings: Settings
  store: Store
  pxe: Pxe
  mirror: Mirror | undefined
  plugins: LivePlugins
  conductor: ConductorService
}

function healthOf({ settings, store, pxe, mirror, plugins, conductor }: Watched) {
  return async () => ({
    store: withRepairs(await storeHealth(settings.config.DEFAULT.state_path), store.repairs),
    plugins: pluginHealth(plugins.set.failures, await plugins.problems()),
    ramdisk: await ramdiskHealth(settings.config.pxe.ramdisk_path),
    api: apiHealth(settings.config),
    pxe: await pxe.health().catch((error: unknown) => ({ healthy: false, message: messageOf(error) })),
    ...strangersHealth(conductor.problemOfStrangers()),
    ...(mirror && { registry: await mirrorHealth(settings.registry.storage_path, mirror.upstreams()) }),
  })
}

const SENSORS = {
  name: 'rackstrap_node_sensor',
  help: 'What a machine measured of itself when it was read last.',
  labels: ['node', 'name', 'type', 'sensor', 'field'],
} as const

function gauges(metrics: Metrics, { nodes }: Store, jobs: Jobs): void {
  metrics.gauge('rackstrap_job_failed', '1: the last run of a job failed.', 'job', () =>
    Object.fromEntries(
      jobs.states.filter(({ last_run }) => last_run).map(({ name, failed }) => [name, failed ? 1 : 0]),
    ),
  )
  metrics.gauge('rackstrap_nodes', 'Nodes, by provision_state.', 'provision_state', () => {
    const counts: Record<string, number> = {}
    for (const { provision_state } of nodes.all()) counts[provision_state] = (counts[provision_state] ?? 0) + 1
    return counts
  })
}
