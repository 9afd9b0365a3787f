/**
 * The one list of what looks like a secret, by its key and in a text: masked in logs and answers, encrypted on the
 * disk.
 */
import { hasMembers } from './exact-number.ts'

export const MASK = '******'

/**
 * Anywhere in a key, with or without the hyphens.
 * @source oslo.utils strutils._SANITIZE_KEYS, which Ironic masks by, and what driver_info of its drivers holds
 */
const WORDS = [
  ...['pass[_-]?word', 'passwd', 'pass[_-]?phrase', 'pswd', '(?:admin|new)[_-]?pass', 'root[_-]?pwd?(?![a-z])'],
  ...['secret', 'token', 'credential', 'authorization', 'cookie', 'snmp[_-]community'],
  ...['(?:private|api|access|encryption|encrypted|fernet|ssl|kg|snmp[_-](?:auth|priv))[_-]?key'],
  // Of other services of OpenStack.
  ...['(?:ceph(?:admin|client|manilaclient|mds|mon|rgw)|designaterndc|heatauthencryption|migrationssh)key'],
  ...['(?:octaviaheartbeat|pacemakerremoteauth)key', 'barbicansimplecryptokek', 'cephclusterfsid', 'swifthashsuffix'],
].join('|')
/** Whole keys, and ends of keys. A config drive and a signed address may hold anything that a user has. */
const NAMES = '^config[_-]?drive$|^image[_-]url$|(?:^|[_-])auth$'
const SECRET_KEY = new RegExp(`${WORDS}|${NAMES}`, 'i')
/** What is said of a secret, and is none: secret_count, token_ttl. */
const HARMLESS_KEY =
  /[_-](?:count|length|limit|bytes|timeout|ttl|lifetime|expires|expires_(?:at|in)|algorithm|required|type)$/i

export const isSecretKey = (key: string): boolean => SECRET_KEY.test(key) && !HARMLESS_KEY.test(key)

/** That there is none, or whether there is one, is no secret. */
export const isSecretMember = (key: string, value: unknown): boolean =>
  value !== null && value !== undefined && typeof value !== 'boolean' && isSecretKey(key)

/**
 * The value of a pair that names a secret: `{"path": "driver_info/ipmi_password", "value": "x"}` of an inspection rule,
 * `{"name": "AdminPassword", "value": "x"}` of BIOS settings.
 */
export function isNamedSecret(table: object, key: string): boolean {
  if (key !== 'value') return false
  const { name, path } = table as { name?: unknown; path?: unknown }
  return [name, path].some((said) =>
    typeof said === 'string'
      ? isSecretKey(said)
      : Array.isArray(said) && said.some((part) => typeof part === 'string' && isSecretKey(part)),
  )
}

/** Most texts have nothing of what is looked for, which two quick looks tell. */
const SIGNS = /[=@"']|(?:authorization|cookie)\s*:/i
const QUICK = new RegExp(`:\\/\\/[^/\\s]*@|${WORDS}|auth\\b|config_?drive|signature|[?&;]sig=|_sig=`, 'i')
/** `http://user:password@host`: up to the last @ before the path. */
const URL_PASSWORD = /(:\/\/[^\s/:@?#]*:)[^\s/?#"'<>]*(?=@)/g
/** What stands after `password=` in a command line, a kernel parameter or a query. */
const ASSIGNED = new RegExp(`((?:${WORDS})\\w{0,40}\\s?=\\s?)[^\\s&'"]+`, 'gi')
/** Addresses that are signed: S3, Google, Azure, Swift. */
const SIGNED = /([?&;](?:[\w-]{0,40}signature|(?:\w{0,40}_)?sig|auth)=)[^\s&'"#]+/gi
/** `"password": "x"`, also as Python shows it, and quoted within another text; "auth" is that of a registry's file. */
const QUOTED = new RegExp(
  `(\\\\{0,8}["'](?:[\\w-]{0,40}(?:${WORDS})[\\w-]{0,40}|auth|config_?drive)\\\\{0,8}["']\\s*:\\s*)(?:(\\\\{0,8}["'])[\\s\\S]*?(?:(?<!\\\\)\\2|$)|-?\\d[\\w.]*)`,
  'gi',
)
const HEADER = /\b((?:proxy-)?authorization\s*:\s*(?:(?:basic|bearer|digest)\s+)?)[^\s'",]+/gi
const COOKIE = /\b((?:set-)?cookie\s*:\s*)[^\s'"]+/gi

/** Parts of addresses that nobody can guess: of a boot, of files (they begin with a tilde), of published texts. */
const PATH_KEY = /(\/~|\/nodes\/[0-9a-f-]{36}\/)[\w-]{32}(?![\w-])/gi

/** A copy in which passwords of URLs, signatures, and what secret-looking words are given are masked. */
export function maskText(given: string): string {
  const text = given.includes('/~') || given.includes('/nodes/') ? given.replace(PATH_KEY, `$1${MASK}`) : given
  if (!SIGNS.test(text) || !QUICK.test(text)) return text
  const quoted = text.replace(QUOTED, (_all, key: string, quote = '') => `${key}${quote}${MASK}${quote}`)
  return [URL_PASSWORD, ASSIGNED, SIGNED, HEADER, COOKIE].reduce(
    (masked, secret) => masked.replace(secret, `$1${MASK}`),
    quoted,
  )
}

export const holdsSecret = (text: string): boolean => maskText(text) !== text

/** Lists and tables in each other: a value that is nested deeper is refused where it comes in. */
export const DEPTH_LIMIT = 8

const maskLeaf = (value: unknown) => (typeof value === 'string' ? maskText(value) : value)

/**
 * A deep copy in which the value under every secret-looking key is masked.
 * @param leaf  turns what is neither a list nor a table into something to show
 */
export function maskSecrets(value: unknown, leaf: (value: unknown) => unknown = maskLeaf, depth = 0): unknown {
  if (depth > DEPTH_LIMIT) return '...'
  const inside = (item: unknown) => maskSecrets(item, leaf, depth + 1)
  const shown = leaf(value)
  if (Array.isArray(shown)) return shown.map(inside)
  if (!hasMembers(shown) || shown instanceof Error) return shown
  return Object.fromEntries(
    Object.entries(shown).map(([key, item]) => [
      key,
      isSecretMember(key, item) || (isNamedSecret(shown, key) && isSecretMember('secret', item)) ? MASK : inside(item),
    ]),
  )
}
