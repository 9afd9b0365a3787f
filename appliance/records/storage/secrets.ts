/**
 * Encrypts what stands under secret-looking keys of a record, and texts that hold a secret, before it goes to the disk.
 * In memory records are in plain.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hash,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { readFileSync } from 'node:fs'
import { codeOf, isMissing } from '@appliance/ground/errno'
import { hasMembers, parseExact } from '@appliance/ground/exact-number'
import { holdsSecret, isSecretKey } from '@appliance/ground/secret-words'
import { ApplianceError } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import { type Disk, folderOf, NEW_SUFFIX, writeFileDurably } from './disk.ts'

const PREFIX = 'aes-256-gcm:'
const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16
const KEYS_LIMIT = 2_000
const keyFileOf = (key: string) => `${key}\n${hash('sha256', key)}\n`
const COPY = '.copy'

/** The key file is not there, or is not the one that the records were written with. */
export class SecretKeyRefused extends ApplianceError {}

type KeyFile = Buffer | 'missing' | 'damaged'
type Path = readonly string[]
/** A key, or the place in a list. */
type Name = string | number
type Owner = { kind: string; uuid: string }

export class Secrets {
  readonly #file: string
  #master: Buffer | undefined
  #extracted: KeyObject | undefined
  /** Records have the same keys over and over. */
  readonly #secretKeys = new Map<string, boolean>()
  /** What was not as it should be, in sentences. */
  readonly repairs: readonly string[]

  /** @throws SecretKeyRefused  a file that is no key, and no copy that is one */
  constructor(file: string) {
    this.#file = file
    const key = readKey(file)
    const copy = readKey(file + COPY)
    if (typeof key === 'string' && typeof copy === 'string') {
      if (key === 'damaged' || copy === 'damaged') throw notAKey(file, key, copy)
      this.repairs = []
    } else {
      this.repairs = [
        ...(typeof key === 'string' ? [`${file} is ${key}: made again from ${file}${COPY}`] : []),
        ...(typeof copy === 'string' ? [`${file}${COPY} is ${copy}: made again from ${file}`] : []),
      ]
      this.#master = Buffer.isBuffer(key) ? key : Buffer.isBuffer(copy) ? copy : undefined
    }
  }

  /**
   * Makes the key at the first start, and what is missing of it at later ones. To be called when all records are
   * decrypted; durable once the folder is synced.
   */
  async ensureKey(disk: Disk): Promise<void> {
    const master = this.#master ?? randomBytes(KEY_BYTES)
    for (const file of [this.#file, this.#file + COPY]) {
      const found = readKey(file)
      if (Buffer.isBuffer(found) && found.equals(master)) continue
      await writeFileDurably(disk, file + NEW_SUFFIX, keyFileOf(master.toString('hex')))
      await disk.rename(file + NEW_SUFFIX, file)
    }
    this.#master = master
  }

  encrypt(record: Json, owner: Owner): Json {
    const key = this.#keyOf(owner)
    return mapMembers(record, undefined, (value, name, up) => {
      if (!this.#isSecret(name, value)) return value
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key(), iv).setAAD(place(owner, pathOf({ name, up })))
      const text = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()])
      return PREFIX + Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64')
    })
  }

  /**
   * @param onPlain  told of each secret that lies in plain on the disk: it was none to the version that wrote it
   * @throws SecretKeyRefused
   */
  decrypt(record: Json, owner: Owner, onPlain?: () => void): Json {
    const key = this.#keyOf(owner)
    return mapMembers(record, undefined, (value, name, up) => {
      if (!isEncrypted(value)) {
        if (onPlain && this.#isSecret(name, value)) onPlain()
        return value
      }
      const path = pathOf({ name, up })
      const bytes = Buffer.from(value.slice(PREFIX.length), 'base64')
      const iv = bytes.subarray(0, IV_BYTES)
      const tag = bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES)
      try {
        const decipher = createDecipheriv('aes-256-gcm', key(), iv, { authTagLength: TAG_BYTES })
        decipher.setAuthTag(tag).setAAD(place(owner, path))
        const text = decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES))
        decipher.final()
        return parseExact(text.toString())
      } catch (error) {
        if (error instanceof SecretKeyRefused) throw error
        throw new SecretKeyRefused(
          `${this.#file} is not the key that the secrets of ${owner.kind}/${owner.uuid} were encrypted with ` +
            `(${path.join('/')} does not decrypt). Put the right key file back: without it the passwords in ${folderOf(this.#file)} are lost.`,
          { cause: error },
        )
      }
    })
  }

  /** What looks encrypted is encrypted, too: so that it comes back as it was given. */
  #isSecret(name: Name, value: unknown): boolean {
    if (value === null || value === undefined || typeof value === 'boolean') return false
    // First what costs nothing: a config drive has up to 90 million characters.
    if (typeof name === 'string' && this.#isSecretKey(name)) return true
    return typeof value === 'string' && (isEncrypted(value) || holdsSecret(value))
  }

  #isSecretKey(name: string): boolean {
    const known = this.#secretKeys.get(name)
    if (known !== undefined) return known
    if (this.#secretKeys.size >= KEYS_LIMIT) this.#secretKeys.clear()
    const isOne = isSecretKey(name)
    this.#secretKeys.set(name, isOne)
    return isOne
  }

  /**
   * One key a record, made when the first secret needs it: random nonces stay far from their limit of 2^32 a key. Keys
   * are KeyObjects: for a Buffer Node throws and catches an error each time that it is used, which costs more than the
   * cipher.
   */
  #keyOf({ kind, uuid }: Owner): () => KeyObject {
    let key: KeyObject | undefined
    return () => {
      if (!this.#master) {
        throw new SecretKeyRefused(
          `${this.#file} is missing, and the secrets of ${kind}/${uuid} are encrypted with it. Put the key file back from a backup: ` +
            `without it the passwords in ${folderOf(this.#file)} are lost.`,
        )
      }
      this.#extracted ??= createSecretKey(extract(this.#master))
      key ??= createSecretKey(expand(this.#extracted, uuid))
      return key
    }
  }
}

/**
 * HKDF with SHA-256 (RFC 5869 section 2) in its two halves: the first is the same for all records, and node:crypto's
 * does it again for each. Without a salt there are 32 zeros; a key of 32 bytes is one block.
 */
const extract = (master: Buffer): Buffer => createHmac('sha256', Buffer.alloc(KEY_BYTES)).update(master).digest()
const expand = (extracted: KeyObject, info: string): Buffer =>
  createHmac('sha256', extracted).update(`${info}\x01`).digest()

function readKey(file: string): KeyFile {
  let text: string
  try {
    text = readFileSync(file, 'latin1')
  } catch (error) {
    if (isMissing(error)) return 'missing'
    if (codeOf(error) === 'EIO') return 'damaged'
    throw error
  }
  const key = text.slice(0, KEY_BYTES * 2)
  return text === keyFileOf(key) ? Buffer.from(key, 'hex') : 'damaged'
}

function notAKey(file: string, key: KeyFile, copy: KeyFile): SecretKeyRefused {
  return new SecretKeyRefused(
    `${file} is ${key} and ${file}${COPY} is ${copy}: expected ${KEY_BYTES * 2} hexadecimal digits and their sha256. ` +
      `Put the key file back from a backup: without it the passwords in ${folderOf(file)} are lost.`,
  )
}

/** A secret moved to another record or field does not decrypt. */
const place = ({ kind, uuid }: Owner, path: Path) => Buffer.from(JSON.stringify([kind, uuid, ...path]))

const SHORTEST = PREFIX.length + Math.ceil(((IV_BYTES + TAG_BYTES) * 4) / 3)
const isEncrypted = (value: unknown): value is string =>
  typeof value === 'string' && value.length >= SHORTEST && value.startsWith(PREFIX)

/** Where a value is, from the inside out: most are passed by, and their paths are never asked for. */
type Way = { name: Name; up: Way | undefined }

function pathOf(way: Way): Path {
  const path: string[] = []
  for (let at: Way | undefined = way; at; at = at.up) path.unshift(String(at.name))
  return path
}

/** What it gives back as it is, is looked into. @param up  the way to what holds the value */
type Change = (value: unknown, name: Name, up: Way | undefined) => unknown

/** Records are many and secrets few: what has none below it is returned as it is, and nothing is made for it. */
function mapMembers(value: Json, up: Way | undefined, change: Change): Json {
  let changes: Map<string, unknown> | undefined
  // Plain JSON inherits nothing to enumerate, and V8 reads members faster so. Most fields of most records are empty.
  for (const key in value) {
    const item = value[key]
    if (item === null || typeof item === 'boolean') continue
    const changed = mapMember(item, key, up, change)
    if (changed === item) continue
    changes ??= new Map()
    changes.set(key, changed)
  }
  return changes ? Object.fromEntries([...Object.entries(value), ...changes]) : value
}

function mapMember(item: unknown, name: Name, up: Way | undefined, change: Change): unknown {
  const changed = change(item, name, up)
  if (changed !== item || !hasMembers(item)) return changed
  const way = { name, up }
  if (!Array.isArray(item)) return mapMembers(item as Json, way, change)
  const items = item.map((each, index) => mapMember(each, index, way, change))
  return items.every((each, index) => each === item[index]) ? item : items
}
