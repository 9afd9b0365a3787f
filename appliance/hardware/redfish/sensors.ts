/**
 * Fans, temperatures, power supplies and drives, by Ironic's names. What a BMC does not have, or cannot tell, is left
 * out.
 * @source Ironic drivers/modules/redfish/management.py get_sensors_data
 */
import type { Json } from '../../plugin-api/index.ts'
import type { Sensors } from '../../plugin-api/interfaces.ts'
import type { Bmc } from './bmc.ts'
import type { Resource } from './client.ts'
import { RedfishFailure } from './failure.ts'
import { linkAt, linksAt, listAt, memberAt, numberAt, textAt } from './members.ts'
import { drivesOf } from './storage.ts'

const SENSORS_LIMIT = 500

/** Ironic's name, Redfish's. */
type Fields = readonly (readonly [name: string, member: string])[]
const FAN: Fields = [
  ['max_reading_range', 'MaxReadingRange'],
  ['min_reading_range', 'MinReadingRange'],
  ['reading', 'Reading'],
  ['reading_units', 'ReadingUnits'],
  ['serial_number', 'SerialNumber'],
  ['physical_context', 'PhysicalContext'],
]
const TEMPERATURE: Fields = [
  ['max_reading_range_temp', 'MaxReadingRangeTemp'],
  ['min_reading_range_temp', 'MinReadingRangeTemp'],
  ['reading_celsius', 'ReadingCelsius'],
  ['physical_context', 'PhysicalContext'],
  ['sensor_number', 'SensorNumber'],
]
const POWER: Fields = [
  ['power_capacity_watts', 'PowerCapacityWatts'],
  ['line_input_voltage', 'LineInputVoltage'],
  ['last_power_output_watts', 'LastPowerOutputWatts'],
  ['serial_number', 'SerialNumber'],
]
const DRIVE: Fields = [
  ['name', 'Name'],
  ['model', 'Model'],
  ['capacity_bytes', 'CapacityBytes'],
]

export async function readSensors(bmc: Bmc): Promise<Sensors> {
  const system = await bmc.system()
  const [chassisLink] = linksAt(system.body, 'Links', 'Chassis')
  const chassis = chassisLink === undefined ? undefined : await unlessRefused(bmc.get(chassisLink))
  const [thermal, power] = await Promise.all(
    ['Thermal', 'Power'].map(async (name) => {
      const link = linkAt(chassis?.body, name)
      return link === undefined ? undefined : unlessRefused(bmc.get(link))
    }),
  )
  const drives = (await unlessRefused(drivesOf(bmc, system))) ?? []
  const at = textAt(chassis?.body, 'Id') ?? '0'
  return {
    Extra: extraOf(system),
    Fan: named(listAt(thermal?.body, 'Fans'), FAN, (fan, index) => `${idOf(fan, index)}@${at}`),
    Temperature: named(
      listAt(thermal?.body, 'Temperatures'),
      TEMPERATURE,
      (sensor, index) => `${idOf(sensor, index)}@${at}`,
    ),
    Power: named(listAt(power?.body, 'PowerSupplies'), POWER, (one, index) => `${idOf(one, index)}:Power@${at}`),
    Drive: named(
      drives.map(({ body }) => body),
      DRIVE,
      (drive, index) => `${textAt(drive, 'Name') ?? index}:${idOf(drive, index)}@${textAt(system.body, 'Id') ?? '0'}`,
    ),
  }
}

const extraOf = ({ body }: Resource): Record<string, Json> => ({
  system: {
    Manufacturer: textAt(body, 'Manufacturer') ?? null,
    Model: textAt(body, 'Model') ?? null,
    UUID: textAt(body, 'UUID') ?? null,
  },
})

const idOf = (sensor: unknown, index: number): string =>
  textAt(sensor, 'MemberId') ?? textAt(sensor, 'Id') ?? String(numberAt(sensor, 'MemberId') ?? index)

function named(
  sensors: readonly unknown[],
  fields: Fields,
  nameOf: (sensor: unknown, index: number) => string,
): Record<string, Json> {
  return Object.fromEntries(
    sensors.slice(0, SENSORS_LIMIT).map((sensor, index) => {
      const values = fields.flatMap(([name, member]): [string, unknown][] => {
        const value = memberAt(sensor, member)
        return value === undefined || typeof value === 'object' ? [] : [[name, value]]
      })
      const health = textAt(sensor, 'Status', 'Health')
      // HPE leaves the state of drives out: what tells of its health is there.
      const state = textAt(sensor, 'Status', 'State') ?? (health && 'Enabled')
      const identity = idOf(sensor, index)
      return [
        nameOf(sensor, index),
        { identity, ...Object.fromEntries(values), ...(state && { state }), ...(health && { health }) },
      ]
    }),
  )
}

/** A BMC that lacks one kind of sensor has the others. */
async function unlessRefused<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof RedfishFailure && error.status !== undefined && error.status !== 401) return undefined
    throw error
  }
}
