/** What image_source means: an upstream's address, or a file in one of the allowed folders. Reads nothing of either. */

import { realpathSync, statSync } from 'node:fs'
import { sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { leadsNowhere } from '@appliance/ground/errno'
import { InvalidParameterValue, messageOf } from '../../errors.ts'

export type ImageSource =
  | { kind: 'http'; url: URL; shown: string }
  /** `path` has no links left in it. */
  | { kind: 'file'; path: string; shown: string }

/** Never, whatever file_url_allowed_paths says. @source Ironic image_service.BLOCKED_FILE_URL_PATHS */
const BLOCKED = ['/boot', '/dev', '/etc', '/proc', '/run', '/sys']

const refused = (shown: string, reason: string) =>
  new InvalidParameterValue(`Validation of image href ${shown} failed, reason: ${reason}`)

/** Without user, password and query: those may be secrets, and texts end in logs and answers. */
export function shownUrl(url: URL | string): string {
  const { protocol, host, pathname, search } = new URL(url)
  return `${protocol}//${host}${pathname}${search ? '?...' : ''}`
}

/**
 * @param allowed  [conductor] file_url_allowed_paths
 * @throws InvalidParameterValue
 */
export function parseImageSource(image_source: string, allowed: readonly string[]): ImageSource {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(image_source)?.[1]?.toLowerCase()
  if (scheme === undefined || !URL.canParse(image_source)) {
    const found = /^[\w.-]{1,64}$/.test(image_source) ? image_source : 'in image_source'
    throw refused(found, 'it is no address. Set image_source to one that begins with http://, https:// or file:///.')
  }
  const shown = shownUrl(image_source)
  if (scheme === 'http' || scheme === 'https') return { kind: 'http', url: new URL(image_source), shown }
  if (scheme === 'file') return { kind: 'file', path: allowedPath(image_source, shown, allowed), shown }
  throw refused(shown, `Image download protocol ${scheme} is not supported here. Use http, https or file.`)
}

function allowedPath(image_source: string, shown: string, allowed: readonly string[]): string {
  let path: string
  try {
    path = fileURLToPath(image_source)
  } catch (error) {
    throw refused(shown, `${messageOf(error)}. Write it as file:///folder/image.`)
  }
  if (path.includes('\0')) throw refused(shown, 'it holds a zero byte. Correct image_source.')
  refuseOutside(path, shown, allowed)
  let real: string
  try {
    real = realpathSync(path)
  } catch (error) {
    throw refused(shown, notFound(error))
  }
  refuseOutside(real, shown, allowed)
  if (!statSync(real).isFile()) throw refused(shown, 'Specified image is not a regular file.')
  return real
}

function notFound(error: unknown): string {
  if (leadsNowhere(error)) return 'Specified image file not found. Put it there, or correct image_source.'
  return `Specified image file cannot be read: ${messageOf(error)}`
}

/**
 * @throws InvalidParameterValue  `path` is not below an allowed folder; those are taken with their own links resolved,
 * too
 */
export function refuseOutside(path: string, shown: string, allowed: readonly string[]): void {
  const blocked = BLOCKED.find((folder) => isBelow(path, folder))
  if (blocked) throw refused(shown, `Security: The path ${blocked} is not permitted in file URLs.`)
  const folders = allowed.flatMap((folder) => [folder, realOrSame(folder)]).map((folder) => folder.replace(/\/+$/, ''))
  if (folders.some((folder) => folder !== '' && isBelow(path, folder))) return
  throw refused(
    shown,
    `Security: Path ${path} is not allowed for image source file URLs. Move the image below one of ${allowed.join(', ')}, or add its folder to [conductor] file_url_allowed_paths.`,
  )
}

const isBelow = (path: string, folder: string) => path === folder || path.startsWith(folder + sep)

function realOrSame(folder: string): string {
  try {
    return realpathSync(folder)
  } catch {
    // An allowed folder that is not there allows nothing.
    return folder
  }
}
