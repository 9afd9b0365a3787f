/** Resolves a reference to an image: its repository name here, and the upstream that it comes from. */
import { RegistryError } from '../oci/errors.ts'
import { parseName, type RepositoryName } from '../oci/names.ts'
import { parseReference, type Reference } from '../oci/reference.ts'
import { nameOfHost } from '../upstream/others.ts'
import type { PullThrough } from '../upstream/pull-through.ts'
import type { Upstream } from '../upstream/upstream.ts'

export type Target = {
  reference: Reference
  /** The repository here. */
  name: RepositoryName
  /** undefined: the image was pushed here. */
  upstream: Upstream | undefined
  /** Of the upstream, when no section names it. */
  host?: string
}

type Given = {
  pullThrough: PullThrough
  /** Hosts of this registry itself. */
  own(): readonly string[]
  /** Whether registries without a section may be asked. */
  other_upstreams: boolean
}

export class Targets {
  readonly #given: Given

  constructor(given: Given) {
    this.#given = given
  }

  /** @throws RegistryError  it is no reference, or this mirror may not pull it */
  of(text: string): Target {
    const reference = parseReference(text)
    const { host, path } = reference
    const { pullThrough, own, other_upstreams } = this.#given
    if (own().includes(host)) {
      const upstream = pullThrough.configured({ name: path, host: '' })
      return this.#allowed({ reference, name: path, upstream })
    }
    const served = nameOfHost(host)
    const name = served && parseName(`${served}/${path}`)
    if (name === undefined) throw new RegistryError(`The name of image ${reference.canonical} is too long.`)
    const upstream = pullThrough.configured({ name, host })
    const nameThere = upstream && parseName(`${upstream.name}/${path}`)
    if (upstream)
      return this.#allowed({
        reference,
        name: upstream.repositoryOf(name) === undefined ? (nameThere ?? name) : name,
        upstream,
      })
    if (!other_upstreams)
      throw new RegistryError(
        `Image ${reference.canonical} is not for this mirror to pull: no section [upstream:NAME] names ${host}, and [registry] other_upstreams is false.`,
      )
    return { reference, name, upstream: pullThrough.other(host), host }
  }

  #allowed(target: Target): Target {
    const { upstream, name, reference } = target
    const repository = upstream?.repositoryOf(name)
    if (upstream && repository !== undefined && !upstream.isAllowed(repository))
      throw new RegistryError(
        `Image ${reference.canonical} is not for this mirror to pull: see allow and deny of [upstream:${upstream.name}].`,
      )
    return target
  }
}
