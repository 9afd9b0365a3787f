/**
 * Who may do what with which repository: the rules, what counts where none matches, and upstreams that the mirror has
 * credentials for. Knows neither tickets nor pull secrets.
 */
import { isLoopback } from '@appliance/ground/networks'
import type { RegistryConfig, UpstreamConfig } from '../config/config.ts'
import type { Action } from '../http/handle.ts'
import type { RepositoryName } from '../oci/names.ts'
import { isAmong, parseRules, type Rule, ruleFor, type Who } from './rules.ts'

export type PolicyConfig = Pick<RegistryConfig, 'access_rules' | 'anonymous_pull' | 'host_ip' | 'upstreams'>

/** A stranger reaches a socket of this box without being of this box: a guest, say. */
export type Asker = { isStranger: boolean }
/** `upstream`: no rule decided, but that the mirror pulls from there with its own credentials. */
export type Ruling = { who: Who; upstream?: RepositoryName }

export class Policy {
  readonly #rules: readonly Rule[]
  /** Where no rule matches. */
  readonly #otherwise: Readonly<Record<Action, Who>>
  readonly #upstreams: readonly UpstreamConfig[]

  /** @throws RegistryError  a rule that is none */
  constructor(config: PolicyConfig, knowsAnybody: boolean) {
    this.#rules = parseRules(config.access_rules)
    const change = knowsAnybody ? 'users' : isLoopback(config.host_ip) ? 'anyone' : 'nobody'
    this.#otherwise = { pull: config.anonymous_pull ? 'anyone' : 'users', push: change, delete: change }
    // The longest name first: one may begin with another.
    this.#upstreams = (config.upstreams ?? []).toSorted((a, b) => b.name.length - a.name.length)
  }

  ruling(action: Action, name: RepositoryName, asker: Asker): Ruling {
    const upstream = action === 'pull' ? this.#closedOf(name) : undefined
    if (upstream === undefined) return { who: ruleFor(action, name, this.#rules)?.who ?? this.#otherwise[action] }
    // A rule that lets anyone have all repositories was not written with this upstream's credentials in mind.
    const meant = this.#rules.filter(({ who, head }) => who !== 'anyone' || head.startsWith(upstream))
    const rule = ruleFor(action, name, meant)
    return rule ? { who: rule.who } : { who: this.#whoOfClosed(asker), upstream }
  }

  /** Whether lists and mounts have to look at each repository. */
  get isSelective(): boolean {
    return this.#rules.length > 0 || this.#otherwise.pull !== 'anyone'
  }

  /** Whether nothing that is here could be forbidden to the client. */
  mayPullAll(user: string | undefined, asker: Asker): boolean {
    const isClosed = this.#upstreams.some(needsCredentials) && !isAmong(user, this.#whoOfClosed(asker))
    const hasRules = this.#rules.some(({ actions }) => actions.has('pull'))
    return !hasRules && !isClosed && isAmong(user, this.#otherwise.pull)
  }

  /** The upstream of a repository that the mirror has credentials for, and that is not for everybody. */
  #closedOf(name: RepositoryName): RepositoryName | undefined {
    const upstream = this.#upstreams.find((one) => name.startsWith(`${one.name}/`))
    return upstream && needsCredentials(upstream) ? upstream.name : undefined
  }

  /** Who may push by default may pull with the mirror's credentials, too. */
  #whoOfClosed({ isStranger }: Asker): Who {
    const { pull, push } = this.#otherwise
    if (push !== 'anyone') return push
    return isStranger ? 'nobody' : pull
  }
}

const needsCredentials = ({ credentials, public: isPublic }: UpstreamConfig) => credentials !== undefined && !isPublic
