/**
 * Makes hashes of passwords, and checks passwords against the lines of an htpasswd file, by crypt(3) of the system.
 * Node does not offer crypt(3); Perl, which every Debian has, does.
 */

import { execFile } from 'node:child_process'
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { confined } from './confine.ts'
import { isSameText } from './same-text.ts'
import { createSemaphore } from './semaphore.ts'

/** bcrypt, SHA-crypt and yescrypt; and {SHA}, as `htpasswd -s` makes it. */
const CRYPT = /^\$(?:2[aby]|5|6|y)\$[./0-9A-Za-z$=,]+$/
const SHA = /^\{SHA\}[0-9A-Za-z+/]{27}=$/
export const isKnownHash = (hash: string): boolean => CRYPT.test(hash) || SHA.test(hash)

/** bcrypt alone. */
export const isBcrypt = (hash: string): boolean =>
  /^\$2[aby]\$(?:0[4-9]|1[0-9]|2[0-9]|3[01])\$[./0-9A-Za-z]{53}$/.test(hash)

/** bcrypt takes no more bytes than that into account. */
export const BCRYPT_BYTES = 72
const BCRYPT_ALPHABET = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const BCRYPT_SALT_CHARACTERS = 22
/** About 60 ms of a processor. */
const BCRYPT_COST = 10

/** @returns its bcrypt hash, with a salt of its own, as a line of htpasswd has it */
export async function hashPassword(password: string): Promise<string> {
  // The last character carries 2 bits of the 128 of a salt: "." is what crypt(3) would write there.
  const salt = [...randomBytes(BCRYPT_SALT_CHARACTERS - 1)].map((byte) => BCRYPT_ALPHABET[byte % 64]).join('')
  const hash = await crypt(password, `$2y$${BCRYPT_COST}$${salt}.`)
  if (isBcrypt(hash)) return hash
  throw new Error('crypt(3) of this system makes no bcrypt hashes')
}

const SHA_CRYPT = { sha256: '$5$', sha512: '$6$' } as const
const SHA_SALT_CHARACTERS = 16

/**
 * @returns its hash as /etc/shadow has it, with a salt of its own
 * @throws Error  the password has a line break or a NUL, or more than 256 characters
 */
export async function shaCrypt(password: string, algorithm: keyof typeof SHA_CRYPT): Promise<string> {
  if (!isAskable(password)) throw new Error(`a password has at most ${PASSWORD_LIMIT} characters, on one line`)
  const salt = [...randomBytes(SHA_SALT_CHARACTERS)].map((byte) => BCRYPT_ALPHABET[byte % 64]).join('')
  const hash = await crypt(password, `${SHA_CRYPT[algorithm]}${salt}`)
  if (hash.startsWith(SHA_CRYPT[algorithm]) && CRYPT.test(hash)) return hash
  throw new Error(`crypt(3) of this system makes no ${algorithm} hashes`)
}

/** The hash of no password, as costly as `hash`: an unknown user then takes as long as a wrong password. */
export const likeHash = (hash: string | undefined): string =>
  `$2y$${hash?.slice(4, 6) ?? BCRYPT_COST}$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a`

/** Both lines come by stdin: arguments of a process can be seen by all. */
const PROGRAM = 'chomp(my $p=<STDIN>); chomp(my $h=<STDIN>); my $c=crypt($p,$h); print defined $c ? $c : "*"'
const DEADLINE_MS = 10_000
/** Each costs a processor for up to a second: guesses must not cost us all of them. */
const AT_A_TIME = 2
const WAITING_LIMIT = 50
const PASSWORD_LIMIT = 256
const KEPT_LIMIT = 1_000
const GOOD_FOR_MS = 300_000
const BAD_FOR_MS = 10_000

export class Passwords {
  /** Until when what was found out counts, by a hash that only this process can make: guesses displace no right one. */
  readonly #right = new Map<string, number>()
  readonly #wrong = new Map<string, number>()
  readonly #key = randomBytes(32)
  readonly #asking = new Map<string, Promise<boolean>>()
  readonly #semaphore = createSemaphore(AT_A_TIME)

  readonly #tooMany: () => Error

  /** @param tooMany  what is thrown when too many are being checked */
  constructor(tooMany: () => Error) {
    this.#tooMany = tooMany
  }

  /**
   * Whether this was found right not long ago, so that it costs nothing to ask. It then counts for as long anew.
   * @param name  whose password it may be: what was found out of one name tells nothing of another
   */
  isKnownRight(password: string, hash: string, name = ''): boolean {
    return this.#isKnownRight(this.#keyOf(password, hash, name))
  }

  #isKnownRight(key: string): boolean {
    if ((this.#right.get(key) ?? 0) <= Date.now()) return false
    this.#right.set(key, Date.now() + GOOD_FOR_MS)
    return true
  }

  #keyOf = (password: string, hash: string, name: string) =>
    createHmac('sha256', this.#key).update(`${name}\n${hash}\n${password}`).digest('hex')

  /** @param name  as for isKnownRight. @throws what `tooMany` gives */
  async isRight(password: string, hash: string, name = ''): Promise<boolean> {
    if (!isAskable(password)) return false
    if (SHA.test(hash)) return isSameText(`{SHA}${createHash('sha1').update(password).digest('base64')}`, hash)
    const key = this.#keyOf(password, hash, name)
    if (this.#isKnownRight(key)) return true
    if ((this.#wrong.get(key) ?? 0) > Date.now()) return false
    const asking = this.#asking.get(key)
    if (asking) return asking
    if (this.#semaphore.waiting >= WAITING_LIMIT) throw this.#tooMany()
    return this.#ask(key, password, hash)
  }

  #ask(key: string, password: string, hash: string): Promise<boolean> {
    const asking = this.#semaphore
      .run(() => crypt(password, hash))
      .then((crypted) => {
        const isRight = isSameText(crypted, hash)
        const found = isRight ? this.#right : this.#wrong
        if (found.size >= KEPT_LIMIT) found.clear()
        found.set(key, Date.now() + (isRight ? GOOD_FOR_MS : BAD_FOR_MS))
        return isRight
      })
      .finally(() => this.#asking.delete(key))
    this.#asking.set(key, asking)
    return asking
  }
}

const isAskable = (password: string) => password.length <= PASSWORD_LIMIT && !/[\n\0]/.test(password)

function crypt(password: string, hash: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: DEADLINE_MS, env: {}, cwd: '/' }
    const child = execFile(...confined('perl', ['-e', PROGRAM], { isOffline: true }), options, (error, stdout) =>
      error ? reject(new Error(`perl cannot check a password: ${error.message.split('\n')[0]}`)) : resolve(stdout),
    )
    child.stdin?.on('error', () => {})
    child.stdin?.end(`${password}\n${hash}\n`)
  })
}
