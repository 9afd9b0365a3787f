/** Which checksum an image must have, from the fields that Ironic sends or from a file of checksums. Hashes nothing. */
import { getHashes } from 'node:crypto'
import { AgentError, messageOf } from '../errors.ts'
import { type Fetching, fetchWhole } from '../protocol/fetch-whole.ts'
import { shownUrl } from '../protocol/http.ts'
import type { ImageInfo } from './image-info.ts'

export type Checksum = { algorithm: string; value: string }
export type ChecksumOptions = Fetching & { md5_enabled: boolean }

const BY_LENGTH: Readonly<Record<number, string>> = { 32: 'md5', 64: 'sha256', 128: 'sha512' }
const FILE_LIMIT_BYTES = 4 * 1024 * 1024
/** Broken: good against accidents only. */
const WEAK = /^(rsa-)?(md[45]|sha-?1|md5-sha1)/i

/**
 * os_hash_* wins over checksum, unless its algorithm is unknown here.
 * @throws AgentError  no checksum that can be used
 * @source ironic-python-agent standby.py, ImageDownload
 */
export async function expectedChecksum(image: ImageInfo, options: ChecksumOptions): Promise<Checksum> {
  const { os_hash_algo, os_hash_value } = image
  if (os_hash_algo && isKnown(os_hash_algo)) {
    checkMd5(os_hash_algo, image, options)
    const given = os_hash_value ?? ''
    return { algorithm: os_hash_algo, value: isUrl(given) ? await fetchChecksum(given, image, options) : given }
  }
  if (!image.checksum) {
    throw cannotVerify(
      image,
      `os_hash_algo '${os_hash_algo}' is not known to this ramdisk. Use sha256 or sha512, or set checksum`,
    )
  }
  const value = isUrl(image.checksum)
    ? await fetchChecksum(image.checksum, image, options)
    : image.checksum.toLowerCase()
  const algorithm = BY_LENGTH[value.length]
  if (!algorithm)
    throw cannotVerify(image, `its checksum has ${value.length} characters, which is no md5, sha256 or sha512`)
  checkMd5(algorithm, image, options)
  return { algorithm, value }
}

const isUrl = (text: string) => /^https?:\/\//.test(text)
const isKnown = (algorithm: string) => getHashes().includes(algorithm.toLowerCase())
/** For variants, whose checksum alone vouches for the image. */
export const isStrong = (algorithm: string) => isKnown(algorithm) && !WEAK.test(algorithm)

const cannotVerify = (image: ImageInfo, why: string) =>
  new AgentError('ImageDownloadError', `Download of image ${image.id} failed: it cannot be verified: ${why}.`)

function checkMd5(algorithm: string, image: ImageInfo, { md5_enabled }: ChecksumOptions): void {
  if (algorithm === 'md5' && !md5_enabled) {
    throw cannotVerify(
      image,
      'MD5 is not allowed ([agent] allow_md5_checksum). Use image_os_hash_algo and image_os_hash_value',
    )
  }
}

async function fetchChecksum(url: string, image: ImageInfo, options: ChecksumOptions): Promise<string> {
  const headers: Record<string, string> = image.authorization ? { authorization: image.authorization } : {}
  const bytes = await fetchWhole(url, { ...options, headers, limit_bytes: FILE_LIMIT_BYTES }).catch(
    (error: unknown) => {
      throw cannotVerify(image, `its checksum file ${shownUrl(url)} cannot be fetched: ${messageOf(error)}`)
    },
  )
  const text = bytes.toString('utf8')
  const found = findChecksum(text, new URL(image.urls[0] ?? '').pathname.split('/').at(-1) ?? '')
  if (found) return found
  throw cannotVerify(image, `its checksum file ${shownUrl(url)} does not name it`)
}

/** A bare value, or lines "HASH  name", "HASH *name", "SHA256 (name) = HASH"; # begins a comment. */
export function findChecksum(text: string, name: string): string | undefined {
  const lines = text.split('\n').map((line) => line.trim())
  const meant = lines.filter((line) => line !== '' && !line.startsWith('#'))
  const valid = (value: string | undefined) => (value && BY_LENGTH[value.length] ? value.toLowerCase() : undefined)
  if (meant.length === 1 && /^[0-9a-f]+$/i.test(meant[0] ?? '')) return valid(meant[0])
  for (const line of meant) {
    const [, before, named] = /^([0-9a-f]+)\s+\*?(\S+)$/i.exec(line) ?? []
    if (named === name && valid(before)) return valid(before)
    const [, inside, after] = /^\w+\s+\((.+)\)\s*=\s*([0-9a-f]+)$/i.exec(line) ?? []
    if (inside === name && valid(after)) return valid(after)
  }
  return undefined
}
