/**
 * Decides whether a client may do what it asks: credentials by Basic or Bearer, rules for each repository. Without a
 * file of credentials no client is asked for any.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CredentialFile } from '@appliance/ground/credential-file'
import { Passwords } from '@appliance/ground/passwords'
import type { RegistryConfig, RegistryLog } from '../config/config.ts'
import { answerError, answerJson } from '../http/answer.ts'
import { placesOf } from '../http/exchange.ts'
import type { Action, Authorize } from '../http/handle.ts'
import { denied, OciError, tooManyRequests, unauthorized } from '../oci/errors.ts'
import { parseName, type RepositoryName } from '../oci/names.ts'
import { openCredentials, parseHtpasswd, parseTokens, tokenKey } from './credentials.ts'
import { type Asker, Policy, type PolicyConfig, type Ruling } from './policy.ts'
import { isAmong } from './rules.ts'
import { type Caller, SESSION_LIFE_S, Sessions } from './session.ts'

export type AccessConfig = PolicyConfig & Pick<RegistryConfig, 'cert_file' | 'htpasswd_file' | 'token_file'>

/** Admits clients with a pull secret or a ticket of a repository: see node-images/node-images.ts. */
export type Gate = {
  readonly isEmpty: boolean
  isGuarded(name: RepositoryName): boolean
  /** @param value  base64 of both @returns those of `names` that may be pulled with these */
  opens(
    names: readonly RepositoryName[],
    credentials: { username: string; password: string; value: string },
  ): Promise<RepositoryName[]>
  /** What a ticket is known by, which is no secret; undefined: these are no ticket. */
  ticketOf(credentials: { username: string; password: string }): string | undefined
  /** What it opens now; nothing once it has ended. */
  openedBy(ticket: string): readonly RepositoryName[]
}
type Client = Caller & Asker
const NO_GATE: Gate = {
  isEmpty: true,
  isGuarded: () => false,
  opens: async () => [],
  ticketOf: () => undefined,
  openedBy: () => [],
}

/** Where a client changes its name and password for a token. @source distribution/spec/auth/token.md */
const TOKEN_PATH = '/v2/token'
/** Of one token; a client asks for another token for more. */
const SCOPES_LIMIT = 10
/** The hash of no password, so that an unknown user takes as long as a wrong password. */
const DUMMY_HASH = '$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a'

export class Access {
  readonly #policy: Policy
  readonly #scheme: 'http' | 'https'
  readonly #users: CredentialFile | undefined
  readonly #tokens: CredentialFile | undefined
  readonly #passwords = new Passwords(() => tooManyRequests('Too many passwords are being checked. Try again.', 5))
  readonly #sessions = new Sessions()
  readonly #strangers = new WeakSet<IncomingMessage>()
  /** Of the registry, once it is open. */
  gate: Gate = NO_GATE

  private constructor(config: AccessConfig, users: CredentialFile | undefined, tokens: CredentialFile | undefined) {
    this.#users = users
    this.#tokens = tokens
    this.#scheme = config.cert_file ? 'https' : 'http'
    this.#policy = new Policy(config, this.#knowsAnybody)
  }

  /** @throws RegistryError  a file or a rule cannot be used */
  static async open(config: AccessConfig, log: RegistryLog): Promise<Access> {
    const { htpasswd_file, token_file } = config
    const users = htpasswd_file
      ? await openCredentials({ path: htpasswd_file, option: 'htpasswd_file', parse: parseHtpasswd }, log)
      : undefined
    const tokens = token_file
      ? await openCredentials({ path: token_file, option: 'token_file', parse: parseTokens }, log)
      : undefined
    return new Access(config, users, tokens)
  }

  get #knowsAnybody(): boolean {
    return this.#users !== undefined || this.#tokens !== undefined
  }

  /** Whether the registry asks any client for credentials. */
  get #asks(): boolean {
    return this.#knowsAnybody || !this.gate.isEmpty
  }

  /** Whether machines without credentials may pull from the repository, by the rules. */
  isOpen(name: RepositoryName): boolean {
    return this.#policy.ruling('pull', name, { isStranger: true }).who === 'anyone'
  }

  /** The request comes by a socket that is for more than this box: what only the box itself may do is not for it. */
  markStranger(request: IncomingMessage): void {
    this.#strangers.add(request)
  }

  /** Answers when a token is asked for, and returns true. Never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const [path, query] = request.url?.split('?') ?? []
    if (request.method !== 'GET' || path !== TOKEN_PATH || !this.#asks) return false
    try {
      const scopes = new URLSearchParams(query).getAll('scope').slice(0, SCOPES_LIMIT)
      const names = scopes.flatMap((scope) => parseName(/^repository:([^:]+):/.exec(scope)?.[1] ?? '') ?? [])
      const token = this.#sessions.issue(await this.#callerOf(request, names))
      const issued_at = new Date().toISOString()
      answerJson(response, { token, access_token: token, expires_in: SESSION_LIFE_S, issued_at })
    } catch (error) {
      const isExpected = error instanceof OciError
      answerError(response, isExpected ? error : denied('The registry cannot check credentials now.'))
    }
    return true
  }

  authorize: Authorize = async (request, { action, route, query }) => {
    const names = 'name' in route ? [...placesOf(route.name, query)].map(({ name }) => name) : []
    const caller = await this.#callerOf(request, action === 'pull' ? names : [])
    // Without an Authorization header, a client is to learn here how it gets in: many ask only once.
    if (route.endpoint === 'support' && this.#asks && request.headers.authorization === undefined)
      throw unauthorized('Say who you are, or ask for a token for nobody in particular.', this.#challenge(request))
    const isSelective = this.#policy.isSelective || !this.gate.isEmpty
    if (route.endpoint === 'catalog' && isSelective && this.#knowsAnybody && caller.user === undefined)
      throw unauthorized('Only who has credentials may list all repositories.', this.#challenge(request))
    const asker = { isStranger: this.#strangers.has(request) }
    if (route.endpoint === 'catalog') return (name) => this.#mayPull(name, { ...caller, ...asker })
    if (!('name' in route)) return
    for (const name of action === 'pull' ? names : [route.name])
      this.#require(request, { caller: { ...caller, ...asker }, action, name })
    if (query.has('mount') && !this.#mayMount({ ...caller, ...asker }, query)) query.delete('mount')
  }

  #ruling(action: Action, name: RepositoryName, asker: Asker): Ruling {
    const ruling = this.#policy.ruling(action, name, asker)
    const isGuarded = action === 'pull' && ruling.who === 'anyone' && this.gate.isGuarded(name)
    return isGuarded ? { ...ruling, who: 'users' } : ruling
  }

  #mayPull(name: RepositoryName, client: Client): boolean {
    return client.opened?.includes(name) === true || isAmong(client.user, this.#ruling('pull', name, client).who)
  }

  #require(
    request: IncomingMessage,
    { caller, action, name }: { caller: Client; action: Action; name: RepositoryName },
  ): void {
    if (action === 'pull' && caller.opened?.includes(name)) return
    const { who, upstream } = this.#ruling(action, name, caller)
    if (isAmong(caller.user, who)) return
    const challenge = () => this.#challenge(request, `repository:${name}:${scopeOf(action)}`)
    const about = `${action} ${action === 'push' ? 'to' : 'from'} repository ${name}`
    if (action === 'pull' && this.gate.isGuarded(name) && caller.user === undefined)
      throw unauthorized(`Repository ${name} is kept for who has its pull secret.`, challenge())
    if (upstream !== undefined && caller.user === undefined) {
      const message = `Nobody may ${about} without credentials of this registry, since it comes by those of [upstream:${upstream}]. ${remedyFor(name, upstream)}`
      throw this.#asks ? unauthorized(message, challenge()) : denied(message)
    }
    if (who === 'nobody' && !this.#knowsAnybody)
      throw denied(
        `Nobody may ${about}: this registry is open to other machines and knows no credentials. Set [registry] htpasswd_file, or access_rules.`,
      )
    if (caller.user === undefined && who !== 'nobody' && this.#knowsAnybody)
      throw unauthorized(`Credentials are needed to ${about}.`, challenge())
    throw denied(`${caller.user ?? 'Somebody without credentials'} may not ${about}.`)
  }

  /**
   * A mount must not give content of a repository that the client may not pull from. The client uploads what is not
   * mounted.
   */
  #mayMount(client: Client, query: URLSearchParams): boolean {
    const source = parseName(query.get('from') ?? '')
    if (source === undefined) return this.gate.isEmpty && this.#policy.mayPullAll(client.user, client)
    return isAmong(client.user, this.#ruling('pull', source, client).who)
  }

  /** @throws OciError  UNAUTHORIZED: credentials that are wrong; none at all are right */
  async #callerOf(request: IncomingMessage, names: readonly RepositoryName[]): Promise<Caller> {
    const [, scheme = '', value = ''] = /^(\w+) +(\S+)$/.exec(request.headers.authorization ?? '') ?? []
    if (!this.#asks || request.headers.authorization === undefined) return { user: undefined }
    const caller = await (scheme.toLowerCase() === 'basic' ? this.#byPassword(value, names) : this.#byToken(value))
    // Without any known user, repositories without a guard are for everybody, whatever credentials they send.
    if (caller === undefined && !this.#knowsAnybody) return { user: undefined }
    if (caller === undefined) throw unauthorized('The credentials are wrong, or have ended.', this.#challenge(request))
    return caller
  }

  async #byPassword(value: string, names: readonly RepositoryName[]): Promise<Caller | undefined> {
    const [, user = '', password = ''] = /^([^:]*):(.*)$/s.exec(Buffer.from(value, 'base64').toString()) ?? []
    const opened = this.gate.isEmpty ? [] : await this.gate.opens(names, { username: user, password, value })
    const ticket = this.gate.ticketOf({ username: user, password })
    if (opened.length > 0) return { user: undefined, opened, ...(ticket !== undefined && { ticket }) }
    if (!this.#knowsAnybody) return undefined
    const hash = await this.#users?.get(user)
    const isRight = await this.#passwords.isRight(password, hash ?? DUMMY_HASH)
    return isRight && hash !== undefined ? { user } : undefined
  }

  async #byToken(value: string): Promise<Caller | undefined> {
    const user = await this.#tokens?.get(tokenKey(value))
    return user === undefined ? this.#bySession(value) : { user }
  }

  /** A session that began with a ticket ends with it. */
  #bySession(value: string): Caller | undefined {
    const caller = this.#sessions.callerOf(value)
    if (caller?.ticket === undefined) return caller
    const still: readonly string[] = this.gate.openedBy(caller.ticket)
    const opened = (caller.opened ?? []).filter((name) => still.includes(name))
    return opened.length > 0 ? { ...caller, opened } : undefined
  }

  #challenge({ headers: { host = '' } }: IncomingMessage, scope?: string): string {
    const realm = `${this.#scheme}://${host.replace(/[^\w.:[\]-]/g, '')}${TOKEN_PATH}`
    return `Bearer realm="${realm}",service="registry"${scope === undefined ? '' : `,scope="${scope}"`}`
  }
}

const scopeOf = (action: Action) => (action === 'push' ? 'pull,push' : action)

const remedyFor = (name: RepositoryName, upstream: RepositoryName) =>
  `Log in, which [registry] htpasswd_file lets its users do; or let the operator add '${name} pull anyone' to access_rules, or set public = True in [upstream:${upstream}].`
