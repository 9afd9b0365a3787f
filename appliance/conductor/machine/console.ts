/** A node's console: switched on and off, found again after a start, recorded anew with each procedure. */
import { messageOf } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import { unlessStopped } from '../parts/background.ts'
import type { Parts } from '../parts/parts.ts'
import type { PowerParts } from '../power/power.ts'
import { handleOf, type NodeHandle } from '../states/node-handle.ts'
import { callInterface } from './call-interface.ts'

export type NodeConsole = {
  /** @returns null  it is not enabled @throws UnsupportedDriverExtension, InvalidParameterValue */
  get(uuid: string): Promise<Json | null>
  /**
   * What is wrong with the node's fields is told at once, the rest becomes its last_error.
   * @throws UnsupportedDriverExtension, InvalidParameterValue, NodeLocked
   */
  set(uuid: string, enabled: boolean): Promise<void>
  /** Those that were enabled before a restart. */
  restore(): void
}
type ConsoleParts = PowerParts & Pick<Parts, 'background' | 'reservations' | 'hidden'>
/** @source Ironic conductor/manager.py set_console_mode, get_console_information */
export function createNodeConsole(parts: ConsoleParts): NodeConsole {
  return {
    async get(uuid) {
      const node = parts.store.nodes.find(uuid)
      if (!node.console_enabled) return null
      return callInterface(parts, { node, type: 'console' }, async (console, task) => {
        await console.validate(task)
        return console.getConsole(task)
      })
    },
    async set(uuid, enabled) {
      const node = handleOf(parts, uuid)
      await callInterface(parts, { node: node.record, type: 'console' }, async (console, task) =>
        console.validate(task),
      )
      if (node.record.console_enabled === enabled) return
      const release = await parts.reservations.take(node.uuid)
      parts.background.run('console', node.uuid, () =>
        unlessStopped(parts, () => change(parts, node, enabled)).finally(release),
      )
    },
    restore() {
      for (const { uuid, console_enabled } of parts.store.nodes.all()) {
        if (!console_enabled) continue
        const node = handleOf(parts, uuid)
        parts.background.run('console', uuid, () => unlessStopped(parts, () => change(parts, node, true)))
      }
    },
  }
}

async function change(parts: ConsoleParts, node: NodeHandle, enabled: boolean): Promise<void> {
  try {
    await callInterface(parts, { node: node.record, type: 'console' }, (console, task) =>
      enabled ? console.startConsole(task) : console.stopConsole(task),
    )
    if (node.record.console_enabled !== enabled) await node.update({ error: null, console_enabled: enabled })
  } catch (cause) {
    if (parts.background.stopping.aborted) return
    const error = new Error(`Failed to ${enabled ? 'start' : 'stop'} the console: ${messageOf(cause)}`, { cause })
    await node.update({ error, console_enabled: false })
  }
}

/** A failure is noted, and holds nothing up. */
export async function beginRecord(parts: ConsoleParts, node: Node): Promise<void> {
  if (!node.console_enabled) return
  await callInterface(parts, { node, type: 'console' }, async (console, task) => console.beginRecord?.(task)).catch(
    (error: unknown) => {
      parts.log.warn('console not recorded anew', { node: node.uuid, reason: messageOf(error) })
    },
  )
}

/** Before a node is removed. */
export async function endConsole(parts: ConsoleParts, node: Node): Promise<void> {
  if (!node.console_enabled) return
  await callInterface(parts, { node, type: 'console' }, (console, task) => console.stopConsole(task)).catch(
    (error: unknown) => {
      parts.log.warn('console of a removed node not stopped', { node: node.uuid, reason: messageOf(error) })
    },
  )
}
