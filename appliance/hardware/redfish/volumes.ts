/** RAID by Redfish: volumes of storage controllers. @source Ironic drivers/modules/redfish/raid.py */
import { InvalidParameterValue } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { RaidConfig } from '../../plugin-api/interfaces.ts'
import type { Bmc } from './bmc.ts'
import type { Resource } from './client.ts'
import { linkAt, linksAt, numberAt, textAt } from './members.ts'
import { drivesAt, getAll, storageOf } from './storage.ts'

const GIB = 1024 ** 3
const VOLUMES_LIMIT = 100

/** By Ironic's raid_level: Redfish's RAIDType, and the fewest disks. */
const LEVELS: Readonly<Record<string, { type: string; disks: number }>> = {
  '0': { type: 'RAID0', disks: 1 },
  '1': { type: 'RAID1', disks: 2 },
  '5': { type: 'RAID5', disks: 3 },
  '6': { type: 'RAID6', disks: 4 },
  '1+0': { type: 'RAID10', disks: 4 },
  '5+0': { type: 'RAID50', disks: 6 },
  '6+0': { type: 'RAID60', disks: 8 },
}
const LEVEL_OF = Object.fromEntries(Object.entries(LEVELS).map(([level, { type }]) => [type, level]))

type Controller = { storage: Resource; volumes: string; drives: readonly Resource[] }

/** Those that keep volumes. @throws RedfishFailure  there is none */
async function controllersOf(bmc: Bmc): Promise<readonly Controller[]> {
  const storages = await storageOf(bmc, await bmc.system())
  const found = await Promise.all(
    storages.map(async (storage): Promise<Controller[]> => {
      const volumes = linkAt(storage.body, 'Volumes')
      if (volumes === undefined) return []
      return [{ storage, volumes, drives: await drivesAt(bmc, [storage]) }]
    }),
  )
  if (found.flat().length === 0) throw bmc.failure('has no storage controller that keeps volumes.')
  return found.flat()
}

const volumesOf = async (bmc: Bmc, { volumes }: Controller) =>
  getAll(bmc, (await bmc.members(volumes)).slice(0, VOLUMES_LIMIT))

/** A disk that stands for itself is no RAID. */
const isRaid = ({ body }: Resource): boolean => levelOf(body) !== undefined

/** Older ones name it by VolumeType. @source DMTF Volume v1 */
function levelOf(body: unknown): string | undefined {
  const type = textAt(body, 'RAIDType')
  if (type !== undefined) return LEVEL_OF[type]
  const older: Readonly<Record<string, string>> = { Mirrored: '1', NonRedundant: '0', StripedWithParity: '5' }
  return older[textAt(body, 'VolumeType') ?? '']
}

export async function readConfiguration(bmc: Bmc): Promise<RaidConfig> {
  const found = await Promise.all(
    (await controllersOf(bmc)).map(async (controller) =>
      (await volumesOf(bmc, controller)).filter(isRaid).map(
        ({ body }): Json => ({
          controller: textAt(controller.storage.body, 'Id') ?? controller.storage.path,
          volume_name: textAt(body, 'Name') ?? textAt(body, 'Id'),
          id: textAt(body, 'Id'),
          raid_level: levelOf(body),
          size_gb: Math.floor((numberAt(body, 'CapacityBytes') ?? 0) / GIB),
          physical_disks: linksAt(body, 'Links', 'Drives').map((path) => path.split('/').at(-1)),
        }),
      ),
    ),
  )
  return { logical_disks: found.flat() }
}

export async function deleteVolumes(bmc: Bmc): Promise<void> {
  for (const controller of await controllersOf(bmc)) {
    for (const volume of (await volumesOf(bmc, controller)).filter(isRaid)) await bmc.delete(volume.path)
  }
}

type Planned = { controller: Controller; body: Json }

/** All is planned before the first volume is made. @throws InvalidParameterValue  what cannot be */
export async function createVolumes(bmc: Bmc, wanted: readonly Json[]): Promise<void> {
  const controllers = await controllersOf(bmc)
  const used = new Set<string>()
  for (const controller of controllers) {
    for (const { body } of (await volumesOf(bmc, controller)).filter(isRaid)) {
      for (const path of linksAt(body, 'Links', 'Drives')) used.add(path)
    }
  }
  const planned = wanted.map((disk) => plan(disk, controllers, used))
  for (const { controller, body } of planned) await bmc.post(controller.volumes, body)
}

function plan(disk: Json, controllers: readonly Controller[], used: Set<string>): Planned {
  const level = LEVELS[String(disk.raid_level)]
  const name = `logical disk ${JSON.stringify(disk).slice(0, 200)}`
  if (level === undefined) {
    throw new InvalidParameterValue(
      `The ${name} has a raid_level that Redfish has no volume for: expected one of ${Object.keys(LEVELS).join(', ')}.`,
    )
  }
  const count = Number(disk.number_of_physical_disks ?? level.disks)
  const fitting = controllers.filter(({ storage }) => isNamed(storage, disk.controller))
  for (const controller of fitting) {
    const drives = choose(controller, disk, { count, used })
    if (drives === undefined || drives.length < level.disks) continue
    if (disk.share_physical_disks !== true) for (const { path } of drives) used.add(path)
    return { controller, body: bodyOf(disk, level.type, drives) }
  }
  throw new InvalidParameterValue(
    `There are no ${Math.max(count, level.disks)} free disks at one controller for the ${name}. Delete what is there first, or ask for others.`,
  )
}

const isNamed = ({ body, path }: Resource, name: unknown): boolean =>
  name === undefined || textAt(body, 'Id') === name || textAt(body, 'Name') === name || path === name

/** The smallest that do, all of one size. undefined: not enough of them. */
function choose(
  { drives }: Controller,
  disk: Json,
  { count, used }: { count: number; used: ReadonlySet<string> },
): readonly Resource[] | undefined {
  const { physical_disks } = disk
  if (Array.isArray(physical_disks) && physical_disks.every((each) => typeof each === 'string')) {
    const named = physical_disks.map((name) => drives.find((drive) => isNamed(drive, name) && !used.has(drive.path)))
    return named.every((each) => each !== undefined) ? named : undefined
  }
  const free = drives.filter((drive) => !used.has(drive.path) && fits(drive, disk))
  const sizes = [...new Set(free.map(({ body }) => numberAt(body, 'CapacityBytes') ?? 0))].toSorted((a, b) => a - b)
  for (const size of sizes) {
    const same = free.filter(({ body }) => (numberAt(body, 'CapacityBytes') ?? 0) === size)
    if (same.length >= count) return same.slice(0, count)
  }
  return undefined
}

function fits({ body }: Resource, { disk_type, interface_type }: Json): boolean {
  const isType = disk_type === undefined || textAt(body, 'MediaType')?.toLowerCase() === String(disk_type)
  return isType && (interface_type === undefined || textAt(body, 'Protocol')?.toLowerCase() === String(interface_type))
}

const bodyOf = ({ size_gb, volume_name }: Json, RAIDType: string, drives: readonly Resource[]): Json => ({
  RAIDType,
  ...(volume_name !== undefined && { Name: volume_name }),
  ...(typeof size_gb === 'number' && { CapacityBytes: size_gb * GIB }),
  Links: { Drives: drives.map(({ path }) => ({ '@odata.id': path })) },
})
