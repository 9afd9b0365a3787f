/** Takes what was found over a machine into its node: by hooks, then rules, into properties, ports and inventory. */
import { Conflict, DeployFailure, messageOf } from '../../errors.ts'
import type { Found } from '../../records/inspections.ts'
import { newPort, type Port } from '../../records/kinds/port.ts'
import { applyRules } from '../inspect-rules/apply-rules.ts'
import type { Parts } from '../parts/parts.ts'
import { inTurn } from '../parts/turns.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import type { DraftPort, Inspection } from './hooks/hook.ts'
import { runHooks } from './hooks/run.ts'

export type LearnParts = Pick<
  Parts,
  'store' | 'config' | 'log' | 'inspections' | 'hardware' | 'plugins' | 'hostname' | 'turns' | 'background'
>

/** Each is a process with up to 256 MiB: many machines may report at one time. */
const RULES_AT_ONCE = 2

/**
 * The node is reserved. May come again after a restart: what is there already is found so.
 * @throws DeployFailure  what was found cannot be worked with
 */
export async function learn(parts: LearnParts, node: NodeHandle, found: Found): Promise<void> {
  const { uuid } = node
  const inspection = begin(parts, node, found)
  try {
    await runHooks(inspection)
  } catch (error) {
    if (!(error instanceof DeployFailure)) throw error
    throw new DeployFailure(`failed to run inspection hooks: ${messageOf(error)}`, { cause: error })
  }
  await writePorts(parts, uuid, inspection.ports)
  await node.update({ properties: inspection.properties })
  // Logs may be as large as all the rest, and are no property of the machine.
  const { logs: _logs, ...hooked } = inspection.plugin_data
  const turn = { plugin: 'inspection rules', signal: parts.background.stopping, progress() {} }
  const outcome = await inTurn(parts.turns, turn, RULES_AT_ONCE, () =>
    applyRules(parts, node.record, { inventory: found.inventory, plugin_data: hooked }),
  )
  for (const [port, change] of outcome.ports) await parts.store.ports.update(port, change)
  await node.update({
    ...outcome.node,
    internal: { ...outcome.internal, after_inspection: outcome.afterwards ?? undefined },
  })
  if (outcome.failure) throw new DeployFailure(messageOf(outcome.failure), { cause: outcome.failure })
  if (parts.config.inventory.data_backend !== 'none') {
    await parts.inspections.keep(uuid, { inventory: found.inventory, plugin_data: outcome.plugin_data })
  }
}

function begin(parts: LearnParts, { uuid, record }: NodeHandle, { inventory, plugin_data }: Found): Inspection {
  return {
    node: record,
    options: parts.config.inspector,
    inventory,
    plugin_data: { ...plugin_data },
    properties: structuredClone(record.properties),
    ports: new Map(parts.store.ports.where('node_uuid', uuid).map((port) => [port.address, draftOf(port)])),
    before: async () => (await parts.inspections.inventory(uuid))?.inventory,
    warn: (reason) => parts.log.warn('inspection found something odd', { node: uuid, reason }),
  }
}

const draftOf = ({ address, pxe_enabled, extra, local_link_connection, physical_network }: Port): DraftPort => ({
  address,
  pxe_enabled,
  extra,
  local_link_connection,
  physical_network,
})

async function writePorts(
  { store, log }: LearnParts,
  node_uuid: string,
  wanted: ReadonlyMap<string, DraftPort>,
): Promise<void> {
  for (const { uuid, address } of store.ports.where('node_uuid', node_uuid)) {
    if (wanted.has(address)) continue
    await store.ports.delete(uuid)
    log.info('port deleted: the inspection did not find its card', { node: node_uuid, port: uuid, address })
  }
  for (const port of wanted.values()) {
    const known = store.ports.by('address', port.address)
    if (known?.node_uuid === node_uuid) {
      if (JSON.stringify(draftOf(known)) !== JSON.stringify({ ...draftOf(known), ...port })) {
        await store.ports.update(known.uuid, port)
      }
      continue
    }
    try {
      await store.ports.create(newPort({ ...port, node_uuid }))
      log.info('port created for a card that the inspection found', { node: node_uuid, address: port.address })
    } catch (error) {
      // As in Ironic, the port stays with its node.
      if (!(error instanceof Conflict)) throw error
      log.warn('port not created: another node has its address', { node: node_uuid, address: port.address })
    }
  }
}
