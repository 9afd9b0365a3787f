/**
 * Images that a BMC shows its machine as a drive. It fetches them itself, from an address that it is given.
 * @source Ironic drivers/modules/redfish/boot.py _insert_vmedia_in_resource; sushy resources/manager/virtual_media.py
 */
import type { VirtualMediaDevice } from '../../plugin-api/interfaces.ts'
import type { Bmc } from './bmc.ts'
import type { Resource } from './client.ts'
import { RedfishFailure } from './failure.ts'
import { linkAt, linksAt, memberAt, textAt, textsAt } from './members.ts'

/** MediaTypes, the first that a drive has. A drive for DVDs alone takes what is for a CD (Cisco UCS). */
const TYPES: Readonly<Record<VirtualMediaDevice, readonly string[]>> = {
  cdrom: ['CD', 'DVD'],
  floppy: ['Floppy'],
  disk: ['USBStick'],
}
const DEVICES = Object.keys(TYPES) as readonly VirtualMediaDevice[]
const INSERT = '#VirtualMedia.InsertMedia'
const EJECT = '#VirtualMedia.EjectMedia'
const EJECT_TRIES = 3
/** On some Dell machines an image goes only a moment after it was ejected. */
const PAUSE_S = 3
const DRIVES_LIMIT = 20
const MANAGERS_LIMIT = 10

/** Of the system where it has drives, else of its managers: some show the same drives at both. */
async function drivesOf(bmc: Bmc): Promise<readonly Resource[]> {
  const system = await bmc.system()
  const ofSystem = linkAt(system.body, 'VirtualMedia')
  const collections = ofSystem === undefined ? await collectionsOfManagers(bmc, system) : [ofSystem]
  const paths = (await Promise.all(collections.map((link) => bmc.members(link)))).flat()
  if (paths.length === 0) throw bmc.failure('shows no virtual media: neither the system nor its manager has any.')
  return Promise.all(paths.slice(0, DRIVES_LIMIT).map((path) => bmc.collect(path)))
}

async function collectionsOfManagers(bmc: Bmc, system: Resource): Promise<readonly string[]> {
  const linked = linksAt(system.body, 'Links', 'ManagedBy').slice(0, MANAGERS_LIMIT)
  const managers =
    linked.length > 0 ? await Promise.all(linked.map((link) => bmc.collect(link))) : [await bmc.manager()]
  return managers.map(({ body }) => linkAt(body, 'VirtualMedia')).filter((link) => link !== undefined)
}

/** A drive for CDs comes before one for DVDs alone. */
function drivesFor(drives: readonly Resource[], device: VirtualMediaDevice): readonly Resource[] {
  const types = TYPES[device]
  const rank = ({ body }: Resource) => types.findIndex((type) => textsAt(body, 'MediaTypes').includes(type))
  return drives.filter((drive) => rank(drive) >= 0).toSorted((one, other) => rank(one) - rank(other))
}

const isInserted = ({ body }: Resource): boolean =>
  memberAt(body, 'Inserted') === true ||
  (memberAt(body, 'Inserted') === undefined && textAt(body, 'Image') !== undefined)

/** @param image  an address that the BMC reaches @throws RedfishFailure */
export async function attach(bmc: Bmc, device: VirtualMediaDevice, image: string): Promise<void> {
  const drives = drivesFor(await drivesOf(bmc), device)
  const refusals: RedfishFailure[] = []
  for (const drive of drives) {
    if (isInserted(drive)) await eject(bmc, drive)
    try {
      await insert(bmc, drive, image)
      return await shown(bmc, drive)
    } catch (error) {
      // Some drives are for the console of the BMC alone: the next one is tried.
      if (!(error instanceof RedfishFailure) || !isOfDrive(error)) throw error
      refusals.push(error)
    }
  }
  throw (
    refusals[0] ??
    bmc.failure(`has no drive for ${device}: none of ${TYPES[device].join(', ')} is among its media types.`)
  )
}

const isOfDrive = ({ status, isUnsent }: RedfishFailure) =>
  !isUnsent && (status === undefined || [400, 404, 405, 501].includes(status))

async function insert(bmc: Bmc, drive: Resource, image: string): Promise<void> {
  const target = linkAt(drive.body, 'Actions', INSERT, 'target')
  // Lenovo's older ones have no action, and want to be told of both.
  if (target === undefined) {
    await bmc.patch(drive, { Image: image, Inserted: true, WriteProtected: true })
    return
  }
  const body: Record<string, string> = { Image: image }
  for (;;) {
    try {
      await bmc.post(target, body)
      return
    } catch (error) {
      const more = error instanceof RedfishFailure ? wantedBeside(error, body) : undefined
      if (more === undefined) throw error
      Object.assign(body, more)
    }
  }
}

/** Members that the schema does not demand, and some BMCs do. undefined: it is something else. */
function wantedBeside(failure: RedfishFailure, body: Readonly<Record<string, string>>) {
  const { message } = failure
  const isAsked = (name: string) => body[name] === undefined && message.includes(name)
  if (isAsked('TransferProtocolType'))
    return { TransferProtocolType: body.Image?.startsWith('https:') ? 'HTTPS' : 'HTTP' }
  if (isAsked('TransferMethod')) return { TransferMethod: 'Stream' }
  // NVIDIA DGX: any will do.
  if (isAsked('UserName') || isAsked('Password')) return { UserName: 'none', Password: 'none' }
  return undefined
}

/** Some BMCs answer before they have looked at the image. */
async function shown(bmc: Bmc, { path }: Resource): Promise<void> {
  const { enable_vmedia_insert_polling, vmedia_insert_timeout, vmedia_insert_poll_interval } = bmc.config
  if (!enable_vmedia_insert_polling) return
  const deadline_ms = performance.now() + vmedia_insert_timeout * 1000
  while (!isInserted(await bmc.get(path))) {
    if (performance.now() > deadline_ms) {
      throw bmc.failure(`took an image for ${path}, and did not show it within ${vmedia_insert_timeout} s.`)
    }
    await bmc.pause(vmedia_insert_poll_interval)
  }
}

/** @param devices  all when left out */
export async function detach(bmc: Bmc, devices: readonly VirtualMediaDevice[] = DEVICES): Promise<void> {
  const drives = await drivesOf(bmc)
  const chosen = new Set(devices.flatMap((device) => drivesFor(drives, device)))
  for (const drive of chosen) if (isInserted(drive)) await eject(bmc, drive)
}

async function eject(bmc: Bmc, drive: Resource): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ejectOnce(bmc, drive)
    } catch (error) {
      if (!(error instanceof RedfishFailure) || error.isUnsent) throw error
      // It may be gone all the same.
      if (!isInserted(await bmc.get(drive.path))) return
      if (attempt >= EJECT_TRIES || (error.status ?? 0) < 500) throw error
      await bmc.pause(PAUSE_S)
    }
  }
}

async function ejectOnce(bmc: Bmc, drive: Resource): Promise<void> {
  const target = linkAt(drive.body, 'Actions', EJECT, 'target')
  // An empty body will do for all: iLO wants one, and nobody minds it.
  if (target === undefined) await bmc.patch(drive, { Image: null, Inserted: false })
  else await bmc.post(target, {})
}
