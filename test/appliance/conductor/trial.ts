/**
 * A conductor on trial: real store, real plugin, machines of fake-hardware, images on paper. What it logs is what
 * tests wait for.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { NodeRegistry } from '../../../appliance/conductor/parts/node-registry.ts'
import type { ConductorOptions } from '../../../appliance/conductor/parts/parts.ts'
import { type ConductorService, startConductor } from '../../../appliance/conductor/start.ts'
import type { Procedure } from '../../../appliance/conductor/steps/procedure.ts'
import type { Config } from '../../../appliance/config/options.ts'
import { readConfig, readConfigFile } from '../../../appliance/config/read.ts'
import { BmcFailure } from '../../../appliance/errors.ts'
import type { Guests } from '../../../appliance/guest/guest.ts'
import type { Hardware } from '../../../appliance/hardware/hardware.ts'
import type { Images } from '../../../appliance/images/images.ts'
import { createLog } from '../../../appliance/log.ts'
import type { DeployPlugin, Json, ServedFile, ServedImage } from '../../../appliance/plugin-api/index.ts'
import type { BootDevice, InterfaceTask, PowerState, PowerTarget } from '../../../appliance/plugin-api/interfaces.ts'
import { createHistories } from '../../../appliance/records/histories.ts'
import { createInspections } from '../../../appliance/records/inspections.ts'
import { type Boot, newBoot } from '../../../appliance/records/kinds/boot.ts'
import { type Node, newNode } from '../../../appliance/records/kinds/node.ts'
import { newPort } from '../../../appliance/records/kinds/port.ts'
import { openStore } from '../../../appliance/records/open-store.ts'
import type { Store } from '../../../appliance/records/store.ts'
import direct from '../../../plugins/direct/index.ts'
import { type BmcOnPaper, hardwareOnPaper } from '../hardware/hardware-on-paper.ts'
import { LOOPBACK } from '../loopback-reach.ts'
import { type LogLine, stateFolder } from '../records/state-folder.ts'

export const MAC = '52:54:00:12:34:56'
export const IMAGE: ServedImage = {
  url: 'http://172.22.0.1:8080/agent_images/image',
  format: 'raw',
  size_bytes: 1024,
  checksum: { algorithm: 'sha256', value: 'a3'.repeat(32) },
  stream: true,
  variants: [],
}
const servedFile = (name: string, href = '', field = ''): ServedFile => ({
  name,
  href,
  field,
  url: `http://172.22.0.1:8080/agent_images/${name}`,
  format: 'raw',
  size_bytes: 1024,
  checksum: { algorithm: 'sha256', value: 'a3'.repeat(32) },
})
export const INSTANCE = { image_source: 'http://images.example/debian.raw', image_checksum: 'a3'.repeat(32) }
const API_URL = 'http://172.22.0.1:6385'
const DEADLINE_MS = 10_000
const LOOK_AGAIN_MS = 25

/** A tear down waits for nothing: fake machines are not switched off by their agents. */
const QUICK = '[agent]\npost_deploy_get_power_state_retry_interval = 0\n'
/** Nor does it clean a machine, unless the test is about that. */
const NOT_CLEANED = '[conductor]\nautomated_clean = false\n'
/** Where agents of tests listen. */
const ON_LOOPBACK = `[DEFAULT]\nreachable_networks = ${LOOPBACK.join(',')}\n`
/** Agents on paper read no boot script, which has the number. */
const WITHOUT_NUMBER = '[api]\ncheck_boot_number = False\n'
const isAboutNumbers = (ini: string) => ini.includes('check_boot_number')
const isAboutAgents = (ini: string) => ini.includes('[agent]')

export function configOf(ini = ''): Config {
  const quick = isAboutAgents(ini) ? ini : QUICK + ini
  const text = ON_LOOPBACK + (isAboutNumbers(ini) ? '' : WITHOUT_NUMBER) + NOT_CLEANED + quick
  return readConfig(readConfigFile('test.conf', text), { host: 'rackstrap', my_ip: () => '172.22.0.1' })
}

export function imagesOnPaper(change: Partial<Images> = {}): Images & { released: string[] } {
  const released: string[] = []
  return {
    released,
    validate() {},
    resolve: async () => IMAGE,
    make: async () => IMAGE,
    validateFile() {},
    file: async ({ node_uuid, href, field }) =>
      servedFile(`${node_uuid}.${createHash('sha256').update(href).digest('hex').slice(0, 16)}`, href, field),
    text: async () => '',
    fetchText: async () => '',
    hasFile: async () => true,
    bootImages: async () => [{ firmware: 'bios', emulates: 'nothing', start_bytes: 0, size_bytes: 0 }],
    floppyUrl: (name) => `${servedFile(name).url}.floppy`,
    fileUrl: (name) => servedFile(name).url,
    release: async (uuid) => void released.push(uuid),
    handle: async () => false,
    close: async () => {},
    ...change,
  }
}

/** A machine that its people switch by hand, with a BMC that may be gone. */
export function bmcByHand() {
  const hand = {
    state: 'power off' as PowerState,
    isGone: false,
    devices: [] as string[],
    switched: [] as PowerTarget[],
  }
  const answer = async <T>(value: T): Promise<T> => {
    if (hand.isGone) throw new BmcFailure('BMC 10.0.0.1 did not answer')
    return value
  }
  const driver = {
    supportedBootDevices: ['pxe', 'disk'] as const,
    getPowerState: () => answer(hand.state),
    setPowerState: async (_task: InterfaceTask, target: PowerTarget) => {
      hand.state = await answer(target.endsWith('off') ? 'power off' : 'power on')
      hand.switched.push(target)
    },
    setBootDevice: async (task: InterfaceTask, device: BootDevice, persistent: boolean) => {
      hand.devices.push(`${device} ${persistent}`)
      if (persistent) await task.remember({ persistent_boot_device: device })
    },
  } satisfies BmcOnPaper
  return { hand, driver }
}

export type TrialOptions = {
  ini?: string
  state_path?: string
  plugins?: readonly DeployPlugin[]
  images?: Images
  registry?: NodeRegistry
  guests?: Guests
  /** Of each plugin, by its name; what is left out has its default. */
  option_values?: (plugin: string) => Json
  bmc?: BmcOnPaper
  /** Left out: fake-hardware, with `bmc`. */
  hardware?: Hardware
  checkRamdisk?: ConductorOptions['checkRamdisk']
  /** Left out: another DHCP server gives the addresses. */
  isLeased?: ConductorOptions['isLeased']
  api_url?: () => string
  /** Left out: the appliance's own. */
  procedures?: readonly Procedure[]
  onLine?: (line: LogLine) => void
}

export class Trial {
  readonly store: Store
  readonly conductor: ConductorService
  readonly lines: LogLine[] = []
  readonly deploys: string[] = []
  readonly cleanings: string[] = []
  readonly #waiting = new Set<() => void>()

  constructor(store: Store, options: TrialOptions & { state_path: string }) {
    this.store = store
    const { state_path } = options
    const config = configOf(`[DEFAULT]\nenabled_hardware_types = fake-hardware\n${options.ini ?? ''}`)
    const given: ConductorOptions = {
      hostname: 'rackstrap',
      store,
      config,
      log: createLog('debug', (line) => this.#take(JSON.parse(line) as LogLine, options)),
      hardware: options.hardware ?? hardwareOnPaper(config, options.bmc),
      images: options.images ?? imagesOnPaper(),
      ...(options.registry && { registry: options.registry }),
      ...(options.checkRamdisk && { checkRamdisk: options.checkRamdisk }),
      ...(options.guests && { guests: options.guests }),
      ...(options.option_values && { option_values: options.option_values }),
      plugins: options.plugins ?? [direct as unknown as DeployPlugin],
      folder: join(state_path, 'procedures'),
      inspections: createInspections(join(state_path, 'inspections')),
      histories: createHistories(join(state_path, 'histories')),
      ...(options.isLeased && { isLeased: options.isLeased }),
      api_url: options.api_url ?? (() => API_URL),
      http_url: () => 'http://172.22.0.1:8080',
      onProcedureEnd: (kind, result) => this.#count(kind, result),
    }
    this.conductor = startConductor(given, options.procedures)
  }

  #count(kind: string, result: 'done' | 'failed'): void {
    if (kind === 'deploy') this.deploys.push(result === 'done' ? 'active' : 'failed')
    if (kind === 'clean') this.cleanings.push(result === 'done' ? 'clean' : 'failed')
  }

  #take(line: LogLine, { onLine }: TrialOptions): void {
    this.lines.push(line)
    onLine?.(line)
    // The record is as the line says a moment later at most.
    setImmediate(() => {
      for (const call of this.#waiting) call()
    })
  }

  node(uuid: string): Node {
    return this.store.nodes.find(uuid)
  }

  /** Waits for what a log line, or something beside, brings about. */
  until<T>(what: string, look: () => T | undefined | false): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = look()
        if (!found) return
        end()
        resolve(found)
      }
      const end = () => {
        this.#waiting.delete(check)
        clearInterval(again)
        clearTimeout(timer)
      }
      const again = setInterval(check, LOOK_AGAIN_MS)
      const timer = setTimeout(() => {
        end()
        const last = this.lines.slice(-12).map((line) => JSON.stringify(line))
        reject(new assert.AssertionError({ message: `${what} did not come; the log ends with\n${last.join('\n')}` }))
      }, DEADLINE_MS)
      this.#waiting.add(check)
      check()
    })
  }

  /** And nobody holds the node. */
  untilState(uuid: string, state: Node['provision_state']): Promise<Node> {
    return this.until(`state ${state}`, () => {
      const node = this.node(uuid)
      return node.provision_state === state && node.reservation === null && node
    })
  }

  untilLine(message: string, fields: Record<string, unknown> = {}): Promise<LogLine> {
    return this.until(`log line "${message}" ${JSON.stringify(fields)}`, () =>
      this.lines.find(
        (line) => line.message === message && Object.entries(fields).every(([key, value]) => line[key] === value),
      ),
    )
  }

  async createNode(fields: Partial<Node> = {}, mac: string | null = MAC): Promise<Node> {
    const interfaces = this.conductor.chooseInterfaces(fields.driver ?? 'fake-hardware', {})
    const node = await this.store.nodes.create(
      newNode({
        driver: 'fake-hardware',
        provision_state: 'available',
        power_state: 'power off',
        instance_info: INSTANCE,
        ...fields,
        interfaces: { ...interfaces, ...fields.interfaces },
      }),
    )
    if (mac) await this.store.ports.create(newPort({ address: mac, node_uuid: node.uuid }))
    return node
  }

  /** The steps that began, in order. */
  steps(): string[] {
    return this.lines
      .filter(({ message }) => message === 'step started')
      .map(({ interface: of, step }) => `${of}.${step}`)
  }

  states(): string[] {
    return this.lines.filter(({ message }) => message === 'provision state changed').map(({ to }) => String(to))
  }

  async stop(): Promise<void> {
    await this.conductor.stop()
    await this.store.close()
  }
}

/** A node whose machine is to boot the deploy ramdisk. */
export async function createBooting(trial: Trial, fields: Partial<Node>, boot: Partial<Boot> = {}): Promise<Node> {
  const node = await trial.createNode(fields)
  await trial.store.boots.create(newBoot(node.uuid, { agent: true, ...boot }))
  return node
}

/** Stopped with the test, when the test has not done so. */
export async function startTrial(t: TestContext, options: TrialOptions = {}): Promise<Trial> {
  const state_path = options.state_path ?? stateFolder(t)
  const store = await openStore({ state_path, log: createLog('error', () => {}) })
  const trial = new Trial(store, { ...options, state_path })
  t.after(() => trial.stop().catch(() => {}))
  return trial
}
