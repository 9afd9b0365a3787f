/** Which checksum an image must have: from the node's fields, or from a file of checksums. Hashes nothing. */
import { ImageUnacceptable, InvalidParameterValue, MissingParameterValue } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import { shownUrl } from './image-source.ts'

export type Checksum = { algorithm: string; value: string }
/** `url`: of a file of checksums, to be asked at every deploy. */
export type StatedChecksum = Checksum | { algorithm: string | undefined; url: URL }

/** Hex digits by algorithm. @source Ironic checksum_utils: image_checksum tells its algorithm by its length */
const DIGITS: Readonly<Record<string, number>> = {
  md5: 32,
  sha1: 40,
  sha224: 56,
  sha256: 64,
  sha384: 96,
  sha512: 128,
  'sha3-256': 64,
  'sha3-384': 96,
  'sha3-512': 128,
}
const BY_LENGTH: Readonly<Record<number, string>> = { 32: 'md5', 64: 'sha256', 128: 'sha512' }
/** What is taken of a list when no algorithm was asked for: the last that it holds. */
const STRENGTH: readonly string[] = ['md5', 'sha256', 'sha512']
/** Good against accidents only: such a checksum neither names content in the cache nor is handed on. */
const WEAK = new Set(['md5', 'sha1'])

export const isStrong = (checksum: Checksum | undefined): checksum is Checksum =>
  checksum !== undefined && !WEAK.has(checksum.algorithm)

type Rules = { node_uuid: string; allow_md5: boolean }
const text = (value: unknown) => (typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined)
const NEXT = 'Set image_os_hash_algo and image_os_hash_value, or image_checksum, of the image as it is upstream.'

/**
 * os_hash_* wins over image_checksum.
 * @returns undefined  none is stated, which only a file:// image may do
 * @throws InvalidParameterValue, MissingParameterValue
 */
export function statedChecksum(instance_info: Json, rules: Rules): StatedChecksum | undefined {
  const algo = text(instance_info.image_os_hash_algo)
    ?.toLowerCase()
    .replace(/^sha3_/, 'sha3-')
  const value = text(instance_info.image_os_hash_value)
  if ((algo === undefined) !== (value === undefined)) throw missingChecksum(rules.node_uuid)
  if (algo !== undefined && value !== undefined) {
    if (!Object.hasOwn(DIGITS, algo)) {
      const known = Object.keys(DIGITS).join(', ')
      throw new InvalidParameterValue(
        `instance_info/image_os_hash_algo of node ${rules.node_uuid} is '${algo}': expected one of ${known}.`,
      )
    }
    return stated(value, algo, 'image_os_hash_value', rules)
  }
  const checksum = text(instance_info.image_checksum)
  return checksum === undefined ? undefined : stated(checksum, undefined, 'image_checksum', rules)
}

/** @source Ironic agent.py AgentDeploy.validate */
export const missingChecksum = (node_uuid: string) =>
  new MissingParameterValue(
    `image_source's "image_checksum", or "image_os_hash_algo" and "image_os_hash_value" must be provided in instance_info for node ${node_uuid}`,
  )

/** Of a file that is no node's image. @param about  how the sentence begins. @throws InvalidParameterValue */
export function fileChecksum(given: string, about: string): StatedChecksum {
  const found = parsed(given.trim(), undefined)
  if ('problem' in found) {
    throw new InvalidParameterValue(`${about} is '${found.problem}': expected ${wanted()}. Correct it.`)
  }
  return found
}

function stated(given: string, named: string | undefined, field: string, rules: Rules): StatedChecksum {
  const found = parsed(given, named)
  if ('problem' in found) {
    throw new InvalidParameterValue(
      `instance_info/${field} of node ${rules.node_uuid} is '${found.problem}': expected ${wanted(named)}. ${NEXT}`,
    )
  }
  if (found.algorithm !== undefined && 'value' in found) refuseMd5(found.algorithm, rules)
  return found
}

const wanted = (named?: string) =>
  `${named ? `${DIGITS[named]} hex digits (${named})` : '32 (md5), 64 (sha256) or 128 (sha512) hex digits'}, or an http(s) address of a file of checksums`

function parsed(given: string, named: string | undefined): StatedChecksum | { problem: string } {
  if (/^https?:\/\//i.test(given) && URL.canParse(given)) return { algorithm: named, url: new URL(given) }
  const [, prefix, bare = given] = /^(\w+):(.*)$/.exec(given) ?? []
  const algorithm = named ?? prefix?.toLowerCase() ?? BY_LENGTH[bare.length]
  const digits = algorithm === undefined ? undefined : DIGITS[algorithm]
  if (algorithm === undefined || digits === undefined || bare.length !== digits || !/^[0-9a-f]+$/i.test(bare)) {
    return { problem: bare.slice(0, 150) }
  }
  return { algorithm, value: bare.toLowerCase() }
}

function refuseMd5(algorithm: string, { node_uuid, allow_md5 }: Rules): void {
  if (algorithm !== 'md5' || allow_md5) return
  throw new InvalidParameterValue(
    `The image checksum of node ${node_uuid} is an md5, which [agent] allow_md5_checksum = False forbids. ${NEXT}`,
  )
}

/** What the file of checksums at `stated.url` says of the image. @throws ImageUnacceptable, InvalidParameterValue */
export function checksumFromFile(
  content: string,
  image_url: string,
  statedChecksum: { algorithm: string | undefined; url: URL },
  rules: Rules,
): Checksum {
  const name = nameOf(image_url)
  const asked = statedChecksum.algorithm
  const usable = asked === undefined ? STRENGTH : [asked]
  const found = findChecksums(content, name).filter(({ algorithm }) => usable.includes(algorithm))
  const [best] = found.toSorted((one, other) => STRENGTH.indexOf(other.algorithm) - STRENGTH.indexOf(one.algorithm))
  const list = shownUrl(statedChecksum.url)
  if (best === undefined) {
    const wanted = asked ?? 'md5, sha256 or sha512'
    throw new ImageUnacceptable(`The checksum file ${list} holds no ${wanted} checksum of ${name}. ${NEXT}`)
  }
  if (found.some(({ algorithm, value }) => algorithm === best.algorithm && value !== best.value)) {
    throw new ImageUnacceptable(
      `The checksum file ${list} holds more than one ${best.algorithm} checksum of ${name}, and they differ. ${NEXT}`,
    )
  }
  refuseMd5(best.algorithm, rules)
  return best
}

function nameOf(image_url: string): string {
  const last = new URL(image_url).pathname.split('/').at(-1) ?? ''
  try {
    return decodeURIComponent(last)
  } catch {
    // A broken escape is taken as it stands.
    return last
  }
}

/**
 * All that is said of the name, by a bare value, or lines "HASH  name", "HASH *name", "SHA256 (name) = HASH"; # begins
 * a comment.
 * A line that names its algorithm is believed, and left out when that is not known here: as many digits mean BLAKE2b,
 * too. One that names none is of each algorithm with as many digits.
 */
export function findChecksums(content: string, name: string): Checksum[] {
  const lines = content.split('\n').map((line) => line.trim())
  const meant = lines.filter((line) => line !== '' && !line.startsWith('#'))
  const [only = ''] = meant
  if (meant.length === 1 && /^[0-9a-f]{32,128}$/i.test(only)) return untold(only)
  return meant.flatMap((line) => {
    const [, before, named] = /^([0-9a-f]{32,128})\s+\*?(?:\.\/)?(.+)$/i.exec(line) ?? []
    if (before && named === name) return untold(before)
    const [, tag = '', inside, after] = /^([\w-]+)\s*\((?:\.\/)?(.+)\)\s*=\s*([0-9a-f]{32,128})$/i.exec(line) ?? []
    const algorithm = tag.toLowerCase().replace(/^sha3_/, 'sha3-')
    return inside === name && DIGITS[algorithm] === after?.length
      ? [{ algorithm, value: String(after).toLowerCase() }]
      : []
  })
}

const untold = (value: string): Checksum[] =>
  Object.keys(DIGITS)
    .filter((algorithm) => DIGITS[algorithm] === value.length)
    .map((algorithm) => ({ algorithm, value: value.toLowerCase() }))
