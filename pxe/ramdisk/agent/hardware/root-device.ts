/** Which disk gets the operating system: the one that the node's hints name, else the smallest that is large enough. */
import { setTimeout as pause } from 'node:timers/promises'
import { AgentError, messageOf } from '../errors.ts'
import { type Disk, listDisks } from './disks.ts'
import { type HintType, hintTest } from './hints.ts'

export type NodeRecord = {
  uuid?: unknown
  name?: unknown
  properties?: unknown
  instance_info?: unknown
  driver_internal_info?: unknown
}

/** @source ironic-python-agent device_hints.VALID_ROOT_DEVICE_HINTS */
const HINTS = {
  size: 'integer',
  model: 'text',
  wwn: 'text',
  serial: 'text',
  vendor: 'text',
  wwn_with_extension: 'text',
  wwn_vendor_extension: 'text',
  name: 'text',
  rotational: 'boolean',
  hctl: 'text',
  by_path: 'text',
  tran: 'text',
} as const satisfies Record<string, HintType>
type HintName = keyof typeof HINTS

const GIB = 1024 ** 3
/** @source ironic-python-agent utils.guess_root_disk */
const LEAST_SIZE_BYTES = 4 * GIB

const objectOf = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {}

/**
 * Waits for a suitable disk to appear: drivers may still be looking for theirs.
 * @throws AgentError DeviceNotFound  with all disks that there are
 */
export async function findRootDevice(
  root: string,
  node: NodeRecord,
  wait: { attempts: number; delay_s: number },
): Promise<Disk> {
  for (let attempt = 1; ; attempt++) {
    try {
      return chooseRootDevice(await listDisks(root), node)
    } catch (error) {
      if (attempt >= wait.attempts) throw error
    }
    await pause(wait.delay_s * 1000)
  }
}

/** @throws AgentError DeviceNotFound */
export function chooseRootDevice(all: readonly Disk[], node: NodeRecord): Disk {
  const disks = withoutSkipped(all, node)
  const [own, standard] = [objectOf(node.instance_info).root_device, objectOf(node.properties).root_device].map(
    objectOf,
  )
  const hints = Object.keys(own ?? {}).length > 0 ? (own ?? {}) : (standard ?? {})
  if (Object.keys(hints).length === 0) return smallest(disks)
  const found = disks.find(matcherOf(hints))
  if (found) return found
  throw new AgentError(
    'DeviceNotFound',
    `No suitable device was found for deployment using these hints ${JSON.stringify(hints)}. This machine has ${describe(all)}. ` +
      'Correct properties/root_device of the node.',
  )
}

function smallest(disks: readonly Disk[]): Disk {
  const found = disks.find(({ size }) => size >= LEAST_SIZE_BYTES)
  if (found) return found
  throw new AgentError(
    'DeviceNotFound',
    'No suitable device was found for deployment - root device hints were not provided and all found block devices are ' +
      `smaller than ${LEAST_SIZE_BYTES}B. This machine has ${describe(disks)}. Check the disk controller, or use the hardware ramdisk.`,
  )
}

/** Without those that properties/skip_block_devices keeps from us: a list of hints; volume_name is for software RAID. */
export function withoutSkipped(disks: readonly Disk[], node: NodeRecord): Disk[] {
  const skip = objectOf(node.properties).skip_block_devices
  const tests = (Array.isArray(skip) ? skip : [])
    .map(objectOf)
    .filter((hints) => !('volume_name' in hints) && Object.keys(hints).length > 0)
    .map(matcherOf)
  return disks.filter((disk) => !tests.some((test) => test(disk)))
}

/** All hints must match. */
function matcherOf(hints: Record<string, unknown>): (disk: Disk) => boolean {
  const unknown = Object.keys(hints).filter((name) => !Object.hasOwn(HINTS, name))
  if (unknown.length > 0) {
    const valid = Object.keys(HINTS).join(', ')
    throw invalid(hints, `The hints "${unknown.join(', ')}" are invalid. Valid hints are: "${valid}"`)
  }
  try {
    const tests = Object.entries(hints).map(([name, expression]) => {
      const test = hintTest(name, HINTS[name as HintName], expression)
      return (disk: Disk) => {
        // What a disk does not tell equals nothing, and differs from everything.
        const found = name === 'size' ? disk.size / GIB : disk[name as HintName]
        return test(String(found ?? ''))
      }
    })
    return (disk) => tests.every((test) => test(disk))
  } catch (error) {
    throw invalid(hints, messageOf(error))
  }
}

const invalid = (hints: Record<string, unknown>, why: string) =>
  new AgentError(
    'DeviceNotFound',
    `No devices could be found using the root device hints ${JSON.stringify(hints)} because they failed to validate. Error: ${why}`,
  )

export const gib = (bytes: number) => `${(bytes / GIB).toFixed(1)} GiB`

export function describe(disks: readonly Disk[]): string {
  if (disks.length === 0) return 'no disk that this kernel knows'
  return disks
    .map(({ name, size, model, serial }) => `${[name, gib(size), model, serial].filter(Boolean).join(' ')}`)
    .join('; ')
}
