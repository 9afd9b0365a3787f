/**
 * The disk that was not there in the inspection before becomes the root device: a RAID volume made in between.
 * @source Ironic hooks/raid_device.py
 */
import type { Json } from '../../../plugin-api/index.ts'
import { type Hook, itemsOf, textIn } from './hook.ts'

export const raidDevice: Hook = {
  async run({ inventory, properties, before, warn }) {
    if ('root_device' in properties) return
    const found = serialsOf(inventory)
    if (found.length === 0) return warn('no disks with serial numbers are told')
    const known = await before()
    if (!known) return
    const fresh = found.filter((serial) => !serialsOf(known).includes(serial))
    const [serial, ...others] = fresh
    if (serial !== undefined && others.length === 0) properties.root_device = { serial }
    else warn(`${fresh.length} disks are new: the root device is not known by that`)
  },
}

const serialsOf = ({ disks }: Json) => itemsOf(disks).flatMap(({ serial }) => textIn(serial) ?? [])
