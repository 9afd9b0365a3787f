/** Puts the conductor together. What it does is in the files beside it. */
import { createReach } from '@appliance/ground/reach'
import type { IsoBootOf, MachineBoot } from '@appliance/pxe'
import { createAgentClient } from '../agent/client.ts'
import { NotFound } from '../errors.ts'
import type { BootDevice } from '../plugin-api/interfaces.ts'
import type { Node } from '../records/kinds/node.ts'
import { createRenderer } from '../render/render.ts'
import { heartbeat, lookup } from './agent-calls.ts'
import { createAllocations } from './allocations/allocations.ts'
import { isoBootOf, machineBootOf } from './boot/boot.ts'
import { isFilesKey, keyInstanceFiles } from './boot/files-key.ts'
import { createInstanceFiles } from './boot/instance-files.ts'
import { publishedText } from './boot/published.ts'
import { releaseFiles } from './boot/record.ts'
import { claimBoot, mayFetch, START_AGAIN, THIS_BOX } from './boot/window.ts'
import type { Conductor } from './conductor.ts'
import { createDiscovery, type DiscoveryBoot } from './inspect/discovery.ts'
import { createGoOn } from './inspect/go-on.ts'
import { continueInspection } from './inspect/report.ts'
import { boundSecrets } from './interfaces/bound-secrets.ts'
import { chooseInterfaces, drivers } from './interfaces/choose.ts'
import { interfaceOf } from './interfaces/interface-of.ts'
import { createNodeConsole, endConsole } from './machine/console.ts'
import { createManagement } from './machine/management.ts'
import { createRaid } from './machine/raid.ts'
import { createSensorReader, type SensorReader } from './machine/sensors.ts'
import { createVendor } from './machine/vendor.ts'
import { createBackground, unlessStopped } from './parts/background.ts'
import { CodeInUse, type PluginCode } from './parts/code-in-use.ts'
import type { ConductorOptions, Parts } from './parts/parts.ts'
import { createReservations } from './parts/reservations.ts'
import { createStrangers } from './parts/strangers.ts'
import { endStrays } from './plugin/process-tree.ts'
import { changePower, checkPowerTarget, getBootDevice, setBootDevice } from './power/power.ts'
import { createPowerSync } from './power/power-sync.ts'
import { PROCEDURES } from './procedure-list.ts'
import { isOrphan, recover } from './recover.ts'
import { handleOf } from './states/node-handle.ts'
import type { Procedure } from './steps/procedure.ts'
import { StepRunner } from './steps/runner.ts'
import { releaseImage } from './task/container-images.ts'
import { sweepProcedureFolders } from './task/folder.ts'
import { validate } from './validation/validate.ts'
import { createProvision } from './verbs/provision.ts'

export type ConductorService = Conductor & {
  /** Once, when the API listens: nodes that were in a procedure go on. Resolves when all of them are reserved. */
  recover(): Promise<void>
  /** @param mac  lower case with colons */
  machineBootOf(mac: string): MachineBoot
  /** For who knows the number of the boot that this box has begun: its BMC. */
  isoBootOf: IsoBootOf
  /**
   * For a machine that asks: files of its instance that the image cache has lost are fetched again. Who is not the
   * machine gets what an unknown one gets.
   * @param address  as plainAddress has it; this box itself when left out
   */
  bootAsked(mac: string, address?: string): Promise<MachineBoot>
  /** What a machine boots whose MAC no port has; undefined: nothing of this box. @param mac, address  as bootAsked */
  discoveryBootOf(mac: string, address: string): Promise<DiscoveryBoot | undefined>
  /** What a plugin published under an address of a node, by the path of that address. */
  publishedText(path: string): { node: string; name: string; text: string } | undefined
  /**
   * Whether what is for a node alone may go out to who asks from `address`.
   * @param key  in the address of an image or a file; left out: who asks has proved otherwise that he knows where it is
   */
  mayFetch(node: string, address: string, key?: string): Promise<boolean>
  /** For health: a sentence about who asked as a machine and was not it. */
  problemOfStrangers(): string | undefined
  /** A boot of the agent that the box itself refuses ends the node's wait for it. */
  bootRefused(node: string, reason: string): void
  /** Plugins were loaded anew. A procedure under way ends with the code that it began with. */
  takePlugins(loaded: Loaded): void
  /** Fails each node that has waited too long. Each wait has a timer, too. */
  checkDeadlines(): Promise<void>
  syncPowerStates(): Promise<void>
  readonly sensors: SensorReader
  /** Nodes that went into maintenance for their BMC, and whose BMC answers again, come out of it. */
  recoverPowerFailures(): Promise<void>
  /** Within seconds. What is under way goes on after the next start. */
  stop(): Promise<void>
}

/** @param procedures  the list of procedures that nodes can go through */
export function startConductor(
  options: ConductorOptions,
  procedures: readonly Procedure[] = PROCEDURES,
): ConductorService {
  const parts = assemble(options, (uuid) => goOn(uuid))
  const runner = new StepRunner(parts, procedures)
  const powerSync = createPowerSync(parts)
  const provision = createProvision(parts, runner, procedures)
  const discovery = createDiscovery(parts)
  const goOn = createGoOn({ ...parts, provision })
  const instanceFiles = createInstanceFiles(parts)
  const nodeConsole = createNodeConsole(parts)
  const allocations = createAllocations(parts)
  const reserved = async <T>(ident: string, work: (node: Node) => Promise<T>): Promise<T> => {
    const { uuid } = parts.store.nodes.find(ident)
    const release = await parts.reservations.take(uuid)
    try {
      return await work(parts.store.nodes.find(uuid))
    } finally {
      await release()
    }
  }
  return {
    hostname: parts.hostname,
    drivers: () => drivers(parts),
    boundSecrets: () => boundSecrets(parts),
    chooseInterfaces: (driver, wanted) => chooseInterfaces(parts, driver, wanted),
    withNode: (uuid, _purpose, change) =>
      reserved(uuid, async (node) => {
        const result = await change(node)
        if (!parts.store.nodes.get(node.uuid)) {
          await endConsole(parts, node)
          await releaseImage(parts, node.uuid)
          await releaseFiles(parts, node.uuid)
          await parts.inspections.remove(node.uuid)
          await parts.histories.remove(node.uuid)
        }
        return result
      }),
    provision,
    async power(ident, target, timeout_s) {
      const node = handleOf(parts, ident)
      checkPowerTarget(parts, node.record, target)
      const release = await parts.reservations.take(node.uuid)
      const o = { signal: parts.background.stopping, ...(timeout_s === undefined ? {} : { timeout_s }) }
      parts.background.run(target, node.uuid, () =>
        unlessStopped(parts, () => changePower(parts, node, target, o)).finally(release),
      )
    },
    validate: (ident) => validate(parts, parts.store.nodes.find(ident)),
    supportedBootDevices: (ident) =>
      interfaceOf(parts, parts.store.nodes.find(ident), 'management').supportedBootDevices,
    getBootDevice: (ident) => reserved(ident, (node) => getBootDevice(parts, node, parts.background.stopping)),
    setBootDevice: (ident, device, persistent) =>
      reserved(ident, (node) =>
        setBootDevice(parts, node, device as BootDevice, { persistent, signal: parts.background.stopping }),
      ),
    allocations,
    management: createManagement(parts),
    console: nodeConsole,
    vendor: createVendor(parts),
    raid: createRaid(parts),
    lookup: (query, asker = THIS_BOX) => lookup(parts, query, asker),
    continueInspection: (report, asker = THIS_BOX) =>
      continueInspection({ ...parts, runner, discovery }, report, asker),
    async inventory(uuid) {
      const found = await parts.inspections.inventory(uuid)
      if (found) return found
      throw new NotFound(`Node inventory record for node ${uuid} could not be found.`)
    },
    history: (uuid) => parts.histories.of(uuid),
    heartbeat: (ident, given, asker = THIS_BOX) => heartbeat({ ...parts, runner }, ident, given, asker),
    async recover() {
      await endStrays((uuid) => parts.store.nodes.get(uuid) !== undefined)
      await sweepProcedureFolders(parts)
      const isThere = (uuid: string) => parts.store.nodes.get(uuid) !== undefined
      await parts.inspections.sweep(isThere)
      await parts.histories.sweep(isThere)
      await allocations.recover()
      await recover(parts, runner, () => true)
      nodeConsole.restore()
      for (const { uuid } of parts.store.nodes.all()) goOn(uuid)
      for (const { uuid } of parts.store.boots.all()) {
        parts.background.run('files of an instance', uuid, async () => void (await instanceFiles.missing(uuid)))
      }
    },
    machineBootOf: (mac) => machineBootOf(parts, mac),
    isoBootOf: (uuid, number) => isoBootOf(parts, uuid, number),
    async bootAsked(mac, address = THIS_BOX.address) {
      const asked = machineBootOf(parts, mac)
      if (asked.kind === 'unknown') return asked
      const refusal = await claimBoot(parts, asked, { mac, address })
      if (refusal !== undefined) {
        const what = `Boot script of ${mac}, of node ${asked.node}, was asked for ${refusal}: not given. ${START_AGAIN}`
        await parts.strangers.note(asked.node, what)
        return { kind: 'unknown', mac }
      }
      await keyInstanceFiles(parts, asked.node)
      // As it is now: a number of the boot before, or an address without a key, would be refused.
      const boot = machineBootOf(parts, mac)
      if (boot.kind === 'agent' && asked.kind !== 'agent') return { kind: 'unknown', mac }
      if (boot.kind !== 'kernel' && boot.kind !== 'iso') return boot
      const missing = await instanceFiles.missing(boot.node)
      return missing === undefined ? boot : { ...boot, missing }
    },
    discoveryBootOf: (mac, address) => discovery.bootFor(mac, address),
    publishedText: (path) => publishedText(parts, path),
    async mayFetch(uuid, address, key) {
      if (key !== undefined && !isFilesKey(parts, uuid, key)) return false
      if (await mayFetch(parts, uuid, address)) return true
      const what = `A file of node ${uuid} was asked for from ${address}, which is not the address of its machine: not given.`
      await parts.strangers.note(uuid, what)
      return false
    },
    problemOfStrangers: () => parts.strangers.problem(),
    bootRefused(uuid, reason) {
      if (parts.store.nodes.get(uuid)) runner.refused(handleOf(parts, uuid), reason)
    },
    takePlugins(loaded) {
      const underWay = [...parts.store.nodes.all()].filter((node) => runner.at(node) ?? runner.failed(node))
      parts.code.replace(
        codeOf(loaded),
        underWay.map(({ uuid }) => uuid),
      )
    },
    async checkDeadlines() {
      runner.checkDeadlines()
      await recover(parts, runner, isOrphan)
    },
    syncPowerStates: powerSync.sync,
    sensors: createSensorReader(parts),
    recoverPowerFailures: powerSync.recover,
    async stop() {
      await parts.background.stop()
      await parts.agent.close()
    },
  }
}

type Loaded = Pick<ConductorOptions, 'plugins' | 'hardware' | 'option_values'>

const codeOf = ({ plugins, hardware, option_values }: Loaded): PluginCode => ({
  plugins: new Map(plugins.map((plugin) => [plugin.name, plugin])),
  hardware,
  option_values: (plugin) => option_values?.(plugin) ?? {},
})

function assemble(options: ConductorOptions, onFree: (uuid: string) => void): Parts {
  const code = new CodeInUse(codeOf(options))
  const { DEFAULT, agent, conductor } = options.config
  return {
    ...options,
    code,
    get plugins() {
      return code.last.plugins
    },
    get hardware() {
      return code.last.hardware
    },
    option_values: (plugin) => code.last.option_values(plugin),
    agent: createAgentClient({
      command_timeout_s: agent.command_timeout,
      max_command_attempts: agent.max_command_attempts,
      verify_ca: agent.verify_ca,
      reach: createReach({ allowed: DEFAULT.reachable_networks, option: '[DEFAULT] reachable_networks' }),
    }),
    renderer: createRenderer(),
    reservations: createReservations({
      ...options,
      // @source Ironic conductor/task_manager.py: it asks again in this interval
      patience_s: conductor.node_locked_retry_attempts * conductor.node_locked_retry_interval,
      onFree,
    }),
    background: createBackground(options.log),
    turns: new Map(),
    strangers: createStrangers(options),
  }
}
