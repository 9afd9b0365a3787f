/** What machines measure of themselves: read now and then by their BMCs, kept until the next time, for /metrics. */
import { messageOf } from '../../errors.ts'
import type { Sensors } from '../../plugin-api/interfaces.ts'
import type { Node } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'
import type { PowerParts } from '../power/power.ts'
import { callInterface } from './call-interface.ts'

/** `type` and `sensor` by Ironic's names: Temperature, CPU1@1U. */
export type SensorValue = { node: string; name: string; type: string; sensor: string; field: string; value: number }
export type SensorReader = {
  /** Of all machines that have some. A machine that cannot be read is told of once, until it can. */
  read(): Promise<void>
  values(): Iterable<SensorValue>
}

/** What changes; the rest of a sensor is its range, its name and the like. */
const FIELDS = ['reading', 'reading_celsius', 'last_power_output_watts', 'line_input_voltage']
/** A BMC must not fill the memory of who collects metrics. */
const VALUES_LIMIT = 200

type SensorParts = PowerParts & Pick<Parts, 'background'>

/** @source Ironic manager._send_sensor_data, [sensor_data] */
export function createSensorReader(parts: SensorParts): SensorReader {
  const found = new Map<string, readonly SensorValue[]>()
  const failing = new Set<string>()
  const readOne = async (node: Node) => {
    const { uuid } = node
    try {
      found.set(uuid, valuesOf(node, await askSensors(parts, node)))
      if (failing.delete(uuid)) parts.log.info('sensors can be read again', { node: uuid })
    } catch (error) {
      if (parts.background.stopping.aborted) return
      found.delete(uuid)
      if (!failing.has(uuid)) parts.log.warn('sensors cannot be read', { node: uuid, reason: messageOf(error) })
      failing.add(uuid)
    }
  }
  return {
    async read() {
      const asked = [...parts.store.nodes.all()].filter((node) => isAsked(parts, node))
      const known = new Set(asked.map(({ uuid }) => uuid))
      for (const uuid of found.keys()) if (!known.has(uuid)) found.delete(uuid)
      const work = async () => {
        for (let node = asked.shift(); node && !parts.background.stopping.aborted; node = asked.shift()) {
          await readOne(node)
        }
      }
      await Promise.all(Array.from({ length: parts.config.sensor_data.workers }, work))
    },
    *values() {
      for (const values of found.values()) yield* values
    },
  }
}

function isAsked({ config, hardware }: SensorParts, node: Node): boolean {
  if (node.maintenance || (node.instance_uuid === null && !config.sensor_data.enable_for_undeployed_nodes)) return false
  return hardware.find('management', node.interfaces.management)?.getSensors !== undefined
}

function askSensors(parts: SensorParts, node: Node): Promise<Sensors> {
  const deadline_s = parts.config.sensor_data.wait_timeout
  return callInterface(parts, { node, type: 'management', deadline_s }, async (management, task) => {
    await management.validate(task)
    return (await management.getSensors?.(task)) ?? {}
  })
}

function valuesOf({ uuid, name }: Node, sensors: Sensors): SensorValue[] {
  const values = Object.entries(sensors).flatMap(([type, ofType]) =>
    Object.entries(ofType).flatMap(([sensor, fields]) =>
      FIELDS.flatMap((field): SensorValue[] => {
        const value = fields[field]
        return typeof value === 'number' && Number.isFinite(value)
          ? [{ node: uuid, name: name ?? '', type, sensor, field, value }]
          : []
      }),
    ),
  )
  return values.slice(0, VALUES_LIMIT)
}
