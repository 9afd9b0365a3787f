/**
 * The hints of a node's record: which disks they name, and what is wrong with them. The appliance uses the same
 * sentences. Opens no disk.
 */
import { messageOf } from '../errors.ts'
import type { Disk } from './disks.ts'
import { type HintTest, type HintType, HintUnreadable, hintTest } from './hints.ts'

export type Hints = Readonly<Record<string, unknown>>
export type Matcher = (disk: Disk) => boolean

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
/**
 * Of which a disk may have several when a root device is looked for: what one of them cannot be compared with is
 * passed over.
 */
const SEVERAL: ReadonlySet<string> = new Set(['serial', 'wwn', 'wwn_with_extension', 'wwn_vendor_extension'])
/** Of a software RAID: protects the disks that it lies on. */
const VOLUME = 'volume_name'
const GIB = 1024 ** 3
const FOUND_LIMIT = 200

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
const shown = (value: unknown) => {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > FOUND_LIMIT ? `${text.slice(0, FOUND_LIMIT)}...` : text
}

/** @returns undefined when they can be read, or say nothing (undefined, null, {}); else one sentence */
export function problemOfRootDeviceHints(hints: unknown): string | undefined {
  if (hints === undefined || hints === null) return undefined
  if (!isObject(hints)) return `root_device is ${shown(hints)}, and an object of hints is expected.`
  return problemOf(hints)
}

/** @returns undefined when it can be read, or says nothing (undefined, null, []); else one sentence */
export function problemOfSkipBlockDevices(list: unknown): string | undefined {
  if (list === undefined || list === null) return undefined
  const expected = 'a list of objects of hints is expected, e.g. [{"name": "/dev/vda"}].'
  if (!Array.isArray(list)) return `skip_block_devices is ${shown(list)}, and ${expected}`
  for (const [index, hints] of list.entries()) {
    const entry = `skip_block_devices[${index}]`
    if (!isObject(hints) || Object.keys(hints).length === 0) return `${entry} is ${shown(hints)}, and ${expected}`
    const problem = VOLUME in hints ? problemOfVolume(hints) : problemOf(hints)
    if (problem !== undefined) return `${entry} is ${shown(hints)}. ${problem}`
  }
  return undefined
}

function problemOfVolume({ volume_name, ...others }: Record<string, unknown>): string | undefined {
  if (typeof volume_name !== 'string' || volume_name === '')
    return 'volume_name is the name of a software RAID, a text.'
  const names = Object.keys(others)
  return names.length > 0
    ? `volume_name stands alone: ${names.join(', ')} belongs into an object of its own.`
    : undefined
}

function problemOf(hints: Hints): string | undefined {
  try {
    testsOf(hints)
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

/** @throws HintUnreadable */
function testsOf(hints: Hints): [HintName, HintTest][] {
  const unknown = Object.keys(hints).filter((name) => !Object.hasOwn(HINTS, name))
  if (unknown.length > 0) {
    const valid = Object.keys(HINTS).join(', ')
    throw new HintUnreadable(`The hints "${unknown.join(', ')}" are invalid. Valid hints are: "${valid}"`)
  }
  const names = Object.keys(hints) as HintName[]
  return names.map((name) => [name, hintTest(name, HINTS[name], hints[name])])
}

/**
 * All hints must match.
 * @param o.several  as the stock agent looks for a root device: what tells no serial number (WWN, ...) has none that
 * could match
 * @throws HintUnreadable  also the matcher, when a disk's value cannot be compared with the hint's
 */
export function matcherOf(hints: Hints, { several }: { several: boolean }): Matcher {
  const tests = testsOf(hints)
  return (disk) =>
    tests.every(([name, test]) => {
      const found = name === 'size' ? disk.size / GIB : disk[name]
      if (!several || !SEVERAL.has(name)) return test(found)
      try {
        return found !== null && test(found)
      } catch (error) {
        if (error instanceof HintUnreadable) return false
        throw error
      }
    })
}

/** Names of the software RAIDs whose disks are to be left. */
export const volumesOf = (list: unknown): string[] =>
  (Array.isArray(list) ? list : []).filter(isObject).flatMap(({ volume_name }) => (volume_name as string) ?? [])

/** @throws HintUnreadable */
export const skipMatchers = (list: unknown): Matcher[] =>
  (Array.isArray(list) ? list : [])
    .filter((hints: Hints) => !(VOLUME in hints))
    .map((hints: Hints) => matcherOf(hints, { several: false }))
