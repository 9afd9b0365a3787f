/** The argument image_info of write_image. It is checked by hand, because nothing but Node is in the ramdisk. */
import { AgentError } from '../errors.ts'

/**
 * A precompressed form that the same address serves by Accept-Encoding. The appliance offers such forms; Ironic does
 * not.
 */
export type ImageVariant = {
  encoding: 'zstd' | 'gzip'
  /** Of the bytes on the wire. */
  size_bytes: number
  checksum: { algorithm: string; value: string }
}
export type ImageInfo = {
  id: string
  urls: readonly string[]
  disk_format: string | undefined
  image_type: string | undefined
  checksum: string | undefined
  os_hash_algo: string | undefined
  os_hash_value: string | undefined
  /** Of the raw image; only the appliance tells it. */
  size_bytes: number | undefined
  variants: readonly ImageVariant[]
  /** Value of the Authorization header. */
  authorization: string | undefined
  configdrive: string | undefined
  has_proxies: boolean
}

type Json = Record<string, unknown>
const textOf = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)
const refuse = (details: string) => new AgentError('InvalidCommandParamsError', details)

/**
 * @throws AgentError InvalidCommandParamsError  in ironic-python-agent's words.
 * @source standby.py _validate_image_info
 */
export function parseImageInfo(value: unknown, options: { md5_enabled: boolean }): ImageInfo {
  const info: Json = value !== null && typeof value === 'object' ? (value as Json) : {}
  for (const field of ['id', 'urls']) if (!(field in info)) throw refuse(`Image is missing '${field}' field.`)
  const urls = Array.isArray(info.urls) ? info.urls.filter((url) => typeof url === 'string') : []
  if (urls.length === 0) throw refuse("Image 'urls' must be a list with at least one element.")
  const bad = urls.find((url) => !/^https?:\/\//.test(url) || !URL.canParse(url))
  if (bad !== undefined)
    throw refuse(
      `Image 'urls' has '${bad.replace(/\/\/.*@/, '//***@')}': expected an address that begins with http:// or https://.`,
    )
  checkChecksums(info, options.md5_enabled)
  return {
    id: String(info.id),
    urls,
    disk_format: textOf(info.disk_format),
    image_type: textOf(info.image_type),
    checksum: textOf(info.checksum),
    os_hash_algo: textOf(info.os_hash_algo),
    os_hash_value: textOf(info.os_hash_value),
    size_bytes: Number.isSafeInteger(info.size_bytes) ? (info.size_bytes as number) : undefined,
    variants: Array.isArray(info.variants) ? info.variants.filter(isVariant) : [],
    authorization: authorizationOf(info),
    configdrive: textOf(info.configdrive),
    has_proxies: Object.keys((info.proxies as Json | undefined) ?? {}).length > 0,
  }
}

function checkChecksums(info: Json, md5_enabled: boolean): void {
  const { checksum, os_hash_algo, os_hash_value } = info
  if (checksum !== undefined && checksum !== null && !textOf(checksum))
    throw refuse("Image 'checksum' must be a non-empty string.")
  const hasPair = Boolean(os_hash_algo || os_hash_value)
  for (const [name, value] of Object.entries(hasPair ? { os_hash_algo, os_hash_value } : {})) {
    if (!textOf(value)) throw refuse(`Image '${name}' must be a non-empty string.`)
  }
  const text = textOf(checksum)
  const usable = text !== undefined && (/^https?:\/\//.test(text) || text.length > 32 || md5_enabled)
  if (!hasPair && !usable) {
    throw refuse(
      "Image checksum is not available, either the 'checksum' field or the 'os_hash_algo' and 'os_hash_value' fields pair must be set for image verification.",
    )
  }
}

function isVariant(value: unknown): value is ImageVariant {
  const { encoding, size_bytes, checksum } = (value ?? {}) as Partial<ImageVariant>
  return (
    (encoding === 'zstd' || encoding === 'gzip') &&
    Number.isSafeInteger(size_bytes) &&
    typeof checksum?.algorithm === 'string' &&
    typeof checksum.value === 'string'
  )
}

/**
 * @source standby.py: image_request_authorization is base64 of the header's value; else user and password by
 * http_basic
 */
function authorizationOf(info: Json): string | undefined {
  const given = textOf(info.image_request_authorization)
  if (given) return Buffer.from(given, 'base64').toString('utf8')
  if (info.image_server_auth_strategy !== 'http_basic') return undefined
  const [user, password] = [textOf(info.image_server_user), textOf(info.image_server_password)]
  if (!user || !password) {
    throw refuse('Missing image_server_user or image_server_password from HTTP(S) basic auth config')
  }
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}
