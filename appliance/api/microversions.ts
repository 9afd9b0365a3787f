/**
 * Ironic's microversions: which one a request asks for, and what is refused below one. The versions of fields and verbs
 * stand in their tables.
 */
import { NotAcceptable } from '../errors.ts'

const MIN_MINOR = 1
const MAX_MINOR = 115
export const MIN_VERSION = `1.${MIN_MINOR}`
export const MAX_VERSION = `1.${MAX_MINOR}`

export const VERSION_HEADER = 'X-OpenStack-Ironic-API-Version'
/** The same for all of OpenStack: `OpenStack-API-Version: baremetal 1.80`; it goes before the other. */
const COMMON_HEADER = 'OpenStack-API-Version'
const SERVICE = 'baremetal'

/** The version as a whole is not served; its body differs from other refusals (CONTRIBUTING.md, Versions). */
export class UnsupportedVersion extends NotAcceptable {}

/** @throws UnsupportedVersion */
export function requestedMinor(header: (name: string) => string | undefined): number {
  const asked = commonVersion(header(COMMON_HEADER)) ?? header(VERSION_HEADER)?.trim()
  if (asked === undefined || asked === '') return MIN_MINOR
  if (asked.toLowerCase() === 'latest') return MAX_MINOR
  const [, major, minor] = /^(\d{1,6})\.(\d{1,6})$/.exec(asked) ?? []
  if (major === undefined || minor === undefined) {
    throw new UnsupportedVersion(`Invalid value for ${VERSION_HEADER} header`)
  }
  const range = `The supported version range is: [${MIN_VERSION}, ${MAX_VERSION}].`
  if (Number(major) !== 1) {
    throw new UnsupportedVersion(
      `Mutually exclusive versions requested. Version ${asked} requested but not supported by this service. ${range}`,
    )
  }
  if (Number(minor) < MIN_MINOR || Number(minor) > MAX_MINOR) {
    throw new UnsupportedVersion(
      `Version ${asked} was requested but the minor version is not supported by this service. ${range}`,
    )
  }
  return Number(minor)
}

function commonVersion(header: string | undefined): string | undefined {
  for (const part of header?.split(',') ?? []) {
    const [service, version] = part.trim().split(/\s+/)
    if (service === SERVICE) return version
  }
  return undefined
}

/** @throws NotAcceptable  below the version that brought it */
export function requireMinor(minor: number, since: number): void {
  if (minor >= since) return
  throw new NotAcceptable(`Request not acceptable. The minimal required API version should be 1.${since}`)
}
