/**
 * What a node's management interface is asked for by the API, beside the boot device: boot mode, Secure Boot, NMI,
 * indicators, virtual media. Sets no power state.
 */
import { InvalidParameterValue, messageOf, UnsupportedDriverExtension } from '../../errors.ts'
import type {
  BootMode,
  IndicatorComponent,
  IndicatorState,
  Indicators,
  InterfaceTask,
  ManagementInterface,
  VirtualMedia,
  VirtualMediaDevice,
} from '../../plugin-api/interfaces.ts'
import type { Node } from '../../records/kinds/node.ts'
import { interfaceOf } from '../interfaces/interface-of.ts'
import { unlessStopped } from '../parts/background.ts'
import type { Parts } from '../parts/parts.ts'
import type { PowerParts } from '../power/power.ts'
import { handleOf, type NodeHandle } from '../states/node-handle.ts'
import { callInterface } from './call-interface.ts'

/** Those without a result are done when the promise resolves, `change...` and virtual media in the background. */
export type Management = {
  /** @throws NodeLocked, UnsupportedDriverExtension, InvalidParameterValue; as all of these */
  changeBootMode(uuid: string, mode: BootMode): Promise<void>
  changeSecureBoot(uuid: string, isOn: boolean): Promise<void>
  injectNmi(uuid: string): Promise<void>
  indicators(uuid: string): Promise<Indicators>
  indicatorState(uuid: string, component: string, name: string): Promise<IndicatorState>
  setIndicatorState(uuid: string, indicator: { component: string; name: string }, state: string): Promise<void>
  virtualMedia(uuid: string): Promise<readonly VirtualMedia[]>
  attachVirtualMedia(uuid: string, device: VirtualMediaDevice, image: URL): Promise<void>
  /** @param devices  left out: all */
  detachVirtualMedia(uuid: string, devices?: readonly VirtualMediaDevice[]): Promise<void>
}

type ManagementParts = PowerParts & Pick<Parts, 'background' | 'reservations'>
/**
 * What may be left out of an interface, and what the API calls it.
 * @source Ironic drivers/base.py ManagementInterface
 */
const EXTENSIONS = {
  setBootMode: 'set_boot_mode',
  setSecureBoot: 'set_secure_boot_state',
  injectNmi: 'inject_nmi',
  getIndicators: 'get_supported_indicators',
  getIndicatorState: 'get_indicator_state',
  setIndicatorState: 'set_indicator_state',
  getVirtualMedia: 'get_virtual_media',
  attachVirtualMedia: 'attach_virtual_media',
  detachVirtualMedia: 'detach_virtual_media',
} as const satisfies Partial<Record<keyof ManagementInterface, string>>
type Call<T> = (management: Required<ManagementInterface>, task: InterfaceTask) => Promise<T>

export function createManagement(parts: ManagementParts): Management {
  const background = inBackground(parts)
  const asked = <T>(uuid: string, member: keyof typeof EXTENSIONS, act: Call<T>): Promise<T> => {
    const node = parts.store.nodes.find(uuid)
    checkSupported(parts, node, member)
    return called(parts, node, act)
  }
  const reserved = async <T>(uuid: string, member: keyof typeof EXTENSIONS, act: Call<T>): Promise<T> => {
    const release = await parts.reservations.take(uuid)
    try {
      return await asked(uuid, member, act)
    } finally {
      await release()
    }
  }
  return {
    async changeBootMode(uuid, mode) {
      await background(uuid, 'setBootMode', {
        act: async (management, task) => {
          const modes = (await management.getSupportedBootModes?.(task)) ?? []
          if (!modes.includes(mode)) {
            throw new InvalidParameterValue(
              `The machine does not support boot mode ${mode}, but ${modes.join(', ') || 'none'}.`,
            )
          }
          await management.setBootMode(task, mode)
        },
        done: { boot_mode: mode },
        failed: (reason) => `Failed to change boot mode to '${mode}': ${reason}`,
      })
    },
    changeSecureBoot: (uuid, isOn) =>
      background(uuid, 'setSecureBoot', {
        act: (management, task) => management.setSecureBoot(task, isOn),
        done: { secure_boot: isOn },
        failed: (reason) => `Failed to change secure_boot state to '${isOn ? 'True' : 'False'}': ${reason}`,
      }),
    injectNmi: (uuid) => reserved(uuid, 'injectNmi', (management, task) => management.injectNmi(task)),
    indicators: (uuid) => asked(uuid, 'getIndicators', (management, task) => management.getIndicators(task)),
    indicatorState: (uuid, component, name) =>
      reserved(uuid, 'getIndicatorState', async (management, task) => {
        await checkIndicator(management, task, { component, name })
        return management.getIndicatorState(task, component as IndicatorComponent, name)
      }),
    setIndicatorState: (uuid, indicator, state) =>
      reserved(uuid, 'setIndicatorState', async (management, task) => {
        await checkIndicator(management, task, { ...indicator, state })
        const known = { ...indicator, component: indicator.component as IndicatorComponent }
        await management.setIndicatorState(task, known, state as IndicatorState)
      }),
    virtualMedia: (uuid) => asked(uuid, 'getVirtualMedia', (management, task) => management.getVirtualMedia(task)),
    attachVirtualMedia: (uuid, device, image) =>
      background(uuid, 'attachVirtualMedia', {
        act: (management, task) => management.attachVirtualMedia(task, device, image),
        isCheckedLater: true,
        failed: (reason) => `Could not attach device ${device} to node ${uuid}: ${reason}`,
      }),
    detachVirtualMedia: (uuid, devices) =>
      background(uuid, 'detachVirtualMedia', {
        act: (management, task) => management.detachVirtualMedia(task, devices),
        isCheckedLater: true,
        failed: (reason) => `Could not detach device(s) ${devices?.join(', ') ?? 'all'} from node ${uuid}: ${reason}`,
      }),
  }
}

/** @throws UnsupportedDriverExtension */
function checkSupported(parts: ManagementParts, node: Node, member: keyof typeof EXTENSIONS): void {
  if (interfaceOf(parts, node, 'management')[member]) return
  throw new UnsupportedDriverExtension(node.driver, EXTENSIONS[member])
}

async function called<T>(parts: ManagementParts, node: Node, act: Call<T>): Promise<T> {
  return callInterface(parts, { node, type: 'management' }, async (management, task) => {
    await management.validate(task)
    return act(management as Required<ManagementInterface>, task)
  })
}

type Deed = {
  act: Call<void>
  done?: Partial<Node>
  failed(reason: string): string
  /** That the interface cannot do it is the node's last_error, too. */
  isCheckedLater?: true
}

/** What is wrong is told at once, what fails is the node's last_error. @source Ironic utils.run_node_action */
function inBackground(parts: ManagementParts) {
  const run = async (node: NodeHandle, member: keyof typeof EXTENSIONS, { act, done, failed }: Deed) => {
    try {
      checkSupported(parts, node.record, member)
      await called(parts, node.record, act)
      if (done) await node.update(done)
    } catch (cause) {
      if (parts.background.stopping.aborted) return
      await node.update({ error: new Error(failed(messageOf(cause)), { cause }) })
    }
  }
  return async (uuid: string, member: keyof typeof EXTENSIONS, deed: Deed): Promise<void> => {
    const node = handleOf(parts, uuid)
    const release = await parts.reservations.take(uuid)
    try {
      if (!deed.isCheckedLater) checkSupported(parts, node.record, member)
      await called(parts, node.record, async () => {})
      await node.update({ error: null })
    } catch (error) {
      await release()
      throw error
    }
    parts.background.run(EXTENSIONS[member], uuid, () =>
      unlessStopped(parts, () => run(node, member, deed)).finally(release),
    )
  }
}

/** @throws InvalidParameterValue */
async function checkIndicator(
  management: Required<ManagementInterface>,
  task: InterfaceTask,
  { component, name, state }: { component: string; name: string; state?: string },
): Promise<void> {
  const indicators = await management.getIndicators(task)
  const named = Object.hasOwn(indicators, component) ? indicators[component as IndicatorComponent] : undefined
  if (!named) throw new InvalidParameterValue(`Invalid component ${component} specified.`)
  const indicator = Object.hasOwn(named, name) ? named[name] : undefined
  if (!indicator) throw new InvalidParameterValue(`Invalid indicator ${name} specified.`)
  if (state === undefined) return
  if (indicator.readonly) throw new InvalidParameterValue(`Indicator ${name} of ${component} is read-only.`)
  if ((indicator.states as readonly string[]).includes(state)) return
  throw new InvalidParameterValue(
    `Invalid state ${state} specified for indicator ${name} of ${component}: expected ${indicator.states.join(', ')}.`,
  )
}
