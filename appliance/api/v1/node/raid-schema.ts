/** What target_raid_config has to be. @source Ironic drivers/raid_config_schema.json */
import { z } from 'zod'
import { ApplianceError, InvalidParameterValue } from '../../../errors.ts'
import type { RaidConfig } from '../../../plugin-api/interfaces.ts'
import { dict, parse, text } from '../../schema.ts'

const oneOf = (...names: readonly string[]) => z.enum(names, `expected one of ${names.join(', ')}`)
const whole = (least: number) => z.int('expected a whole number').min(least, `expected at least ${least}`)

const LOGICAL_DISK = z
  .strictObject(
    {
      raid_level: oneOf('JBOD', '0', '1', '2', '5', '6', '1+0', '5+0', '6+0'),
      size_gb: z.union([whole(0), z.literal('MAX')], 'expected a whole number of GiB, or MAX'),
      volume_name: text.optional(),
      is_root_volume: z.boolean('expected true or false').optional(),
      share_physical_disks: z.boolean('expected true or false').optional(),
      disk_type: oneOf('hdd', 'ssd').optional(),
      interface_type: oneOf('sata', 'scsi', 'sas').optional(),
      number_of_physical_disks: whole(1).optional(),
      controller: text.optional(),
      physical_disks: z
        .union(
          [z.array(text), z.array(z.record(text, z.unknown())).min(2)],
          'expected a list of names, or of at least two hints',
        )
        .optional(),
    },
    'expected an object',
  )
  .refine(
    ({ physical_disks, controller }) => physical_disks === undefined || controller !== undefined,
    'expected controller with physical_disks',
  )

const WANTED = z.strictObject({
  logical_disks: z.array(LOGICAL_DISK, 'expected a list').min(1, 'expected at least one'),
})

/** @returns {}: there is to be none. @throws InvalidParameterValue */
export function readRaidConfig(given: unknown): RaidConfig | Record<string, never> {
  const wanted = parse(dict, given, 'target_raid_config')
  if (Object.keys(wanted).length === 0) return {}
  try {
    return parse(WANTED, wanted, 'target_raid_config')
  } catch (error) {
    if (!(error instanceof ApplianceError)) throw error
    // Clients know the sentence by its beginning. @source Ironic common/raid.py
    const message = error.message.replace(/^Schema error for target_raid_config/, 'RAID config validation error')
    throw new InvalidParameterValue(message, { cause: error })
  }
}
