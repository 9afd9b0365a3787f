/** Upstreams that no section of the configuration names: made when an image of theirs is held. Always with TLS. */
import type { UpstreamConfig } from '../config/config.ts'
import { readUpstream, UPSTREAM_DEFAULTS } from '../config/upstream.ts'
import { RegistryError } from '../oci/errors.ts'
import { parseName, type RepositoryName } from '../oci/names.ts'
import type { Upstream } from './upstream.ts'

const LIMIT = 100
/** An upstream that was idle for this time may be removed to make room. */
const NEEDED_MS = 24 * 3600_000

/** quay.io is served as quay.io, registry.lab:5000 as registry.lab_5000: a colon cannot be in a name. */
export const nameOfHost = (host: string): RepositoryName | undefined => parseName(host.replace(':', '_'))

export class OtherUpstreams {
  readonly #make: (config: UpstreamConfig) => Upstream
  readonly #change: Partial<UpstreamConfig>
  /** By host; the last one used stands last. */
  readonly #made = new Map<string, { upstream: Upstream; needed_at: number }>()

  constructor(make: (config: UpstreamConfig) => Upstream, change: Partial<UpstreamConfig>) {
    this.#make = make
    this.#change = change
  }

  get all(): readonly Upstream[] {
    return [...this.#made.values()].map(({ upstream }) => upstream)
  }

  /** @throws RegistryError  there are too many */
  of(host: string): Upstream {
    const upstream = this.#made.get(host)?.upstream ?? this.#new(host)
    this.#made.delete(host)
    this.#made.set(host, { upstream, needed_at: Date.now() })
    return upstream
  }

  #new(host: string): Upstream {
    const [oldest] = this.#made
    if (oldest && this.#made.size >= LIMIT) {
      const [oldHost, { upstream, needed_at }] = oldest
      if (needed_at > Date.now() - NEEDED_MS)
        throw new RegistryError(
          `Images of more than ${LIMIT} registries that no section [upstream:NAME] names were asked for within a day: ${host} is one too many.`,
        )
      this.#made.delete(oldHost)
      // The upstream is idle: closing it stops no transfer.
      void upstream.close()
    }
    const name = nameOfHost(host)
    if (name === undefined) throw new RegistryError(`'${host}' cannot be the name of a registry.`)
    const url = `https://${host === 'docker.io' ? 'registry-1.docker.io' : host}`
    return this.#make({ ...readUpstream({ name, values: { ...UPSTREAM_DEFAULTS, url } }), ...this.#change })
  }
}
