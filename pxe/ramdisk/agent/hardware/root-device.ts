/** Which disk gets the operating system: the one that the node's hints name, else the smallest that is large enough. */
import { setTimeout as pause } from 'node:timers/promises'
import { AgentError } from '../errors.ts'
import { type Disk, listDisks } from './disks.ts'
import { HintUnreadable } from './hints.ts'
import {
  type Hints,
  matcherOf,
  problemOfRootDeviceHints,
  problemOfSkipBlockDevices,
  skipMatchers,
} from './node-hints.ts'

export type NodeRecord = {
  uuid?: unknown
  name?: unknown
  properties?: unknown
  instance_info?: unknown
  driver_info?: unknown
  driver_internal_info?: unknown
}

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
  const problem = problemOfHints(node)
  if (problem !== undefined) throw new AgentError('DeviceNotFound', problem)
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
  const hints = rootDeviceHints(node)
  if (Object.keys(hints).length === 0) return smallest(disks)
  const found = readable(hints, () => disks.find(matcherOf(hints, { several: true })))
  if (found) return found
  throw new AgentError(
    'DeviceNotFound',
    `No suitable device was found for deployment using these hints ${JSON.stringify(hints)}. This machine has ${describe(all)}. ` +
      'Correct properties/root_device of the node.',
  )
}

/** Those of the instance, unless they say nothing. @throws AgentError DeviceNotFound  nobody can read them */
function rootDeviceHints(node: NodeRecord): Hints {
  const [own, standard] = [objectOf(node.instance_info).root_device, objectOf(node.properties).root_device]
  const hints = saysNothing(own) ? standard : own
  const problem = problemOfRootDeviceHints(hints)
  if (problem !== undefined) throw invalid(hints, problem)
  return objectOf(hints)
}

const saysNothing = (hints: unknown) =>
  hints === undefined || hints === null || (typeof hints === 'object' && Object.keys(hints).length === 0)

/** @returns undefined when the node's hints can be read; else one sentence */
export function problemOfHints(node: NodeRecord): string | undefined {
  try {
    withoutSkipped([], node)
    rootDeviceHints(node)
    return undefined
  } catch (error) {
    if (error instanceof AgentError) return error.details
    throw error
  }
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

/**
 * Without those that properties/skip_block_devices keeps from us.
 * @throws AgentError DeviceNotFound  nobody can read it: then no disk is anybody's to write to
 */
export function withoutSkipped(disks: readonly Disk[], node: NodeRecord): Disk[] {
  const skip = objectOf(node.properties).skip_block_devices
  const problem = problemOfSkipBlockDevices(skip)
  if (problem !== undefined) throw unreadable(problem)
  try {
    const skipped = skipMatchers(skip)
    return disks.filter((disk) => !skipped.map((matches) => matches(disk)).includes(true))
  } catch (error) {
    throw error instanceof HintUnreadable ? unreadable(error.message) : error
  }
}

function readable<T>(hints: Hints, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw error instanceof HintUnreadable ? invalid(hints, error.message) : error
  }
}

const unreadable = (why: string) =>
  new AgentError(
    'DeviceNotFound',
    `properties/skip_block_devices says which disks are not to be touched, and nobody can read it, so none is touched: ${why}`,
  )

const invalid = (hints: unknown, why: string) =>
  new AgentError(
    'DeviceNotFound',
    `No devices could be found using the root device hints ${JSON.stringify(hints)} because they failed to validate. Error: ${why}`,
  )

export const gib = (bytes: number) => `${(bytes / GIB).toFixed(1)} GiB`

function describe(disks: readonly Disk[]): string {
  if (disks.length === 0) return 'no disk that this kernel knows'
  return disks
    .map(({ name, size, model, serial }) => `${[name, gib(size), model, serial].filter(Boolean).join(' ')}`)
    .join('; ')
}
