/**
 * Images that machines are deployed from: inspects an image, holds all of it here for an owner, and tells how a
 * machine reaches it.
 */
import type { Gate } from '../access/access.ts'
import type { RegistryLog } from '../config/config.ts'
import { type Digest, parseDigest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import type { RepositoryName } from '../oci/names.ts'
import { credentialsOf, type PullSecret } from '../oci/secret.ts'
import { localContent } from '../storage/content.ts'
import type { Guards } from '../storage/guards.ts'
import type { Storage } from '../storage/storage.ts'
import { UpstreamFailure } from '../upstream/failure.ts'
import type { PullThrough } from '../upstream/pull-through.ts'
import type { Asking, Upstream } from '../upstream/upstream.ts'
import { BoundImages } from './bound-images.ts'
import { type HoldProgress, Holds, type Wanted } from './hold.ts'
import { type ContainerImage, ImageUnavailable } from './image.ts'
import { type InspectOptions, Inspector } from './inspect.ts'
import { type Target, Targets } from './targets.ts'
import { TICKET_USER, type Ticket, Tickets } from './tickets.ts'

export type HoldOptions = {
  /** Who needs the image, such as node:<uuid>. The new hold replaces the owner's earlier one. */
  owner: string
  secret?: PullSecret
  /** References of further images that this image needs, for the same architecture. */
  with?: readonly string[]
  /** Absolute path of a folder in the image. The images that its quadlets name are needed as well. */
  bound_in?: string
  signal?: AbortSignal
  progress?: HoldProgress
}
export type AccessOptions = {
  /** As for hold. */
  owner: string
  /** A deploy gets a ticket where the image is not for everybody; a host has the pull secret. */
  for?: 'deploy' | 'host'
  /**
   * The ticket is for work of this box itself, which others may wait for. It ends with the signal or the process, not
   * with the owner's other tickets.
   */
  until?: AbortSignal
}
export type ImageAccess = {
  /** Where the mirror has the image: <host:port>/quay.io/org/app. */
  location: string
  /** <host:port> */
  registry: string
  /** Plain http. */
  insecure: boolean
  /** PEM, of the authority that vouches for the mirror's certificate. */
  ca?: string
  /** Clients need credentials, the image's pull secret or a ticket to pull it. */
  guarded: boolean
  ticket?: Ticket
}

type Given = {
  storage: Storage
  pullThrough: PullThrough
  log: RegistryLog
  other_upstreams: boolean
  /** The addresses by which machines reach the registry. */
  reached(): { registry: string; own: readonly string[]; insecure: boolean; ca?: string }
  /** Whether clients without credentials may pull, by the rules. */
  isOpen(name: RepositoryName): boolean
}

export class NodeImages {
  readonly tickets: Tickets
  readonly #given: Given
  readonly #guards: Guards
  readonly #targets: Targets
  readonly #inspector: Inspector
  readonly #holds: Holds
  readonly #bound = new BoundImages()

  constructor(given: Given) {
    const { storage, pullThrough, log, other_upstreams } = given
    this.#given = given
    this.#guards = storage.guards
    this.tickets = new Tickets(storage.state)
    this.#targets = new Targets({ pullThrough, other_upstreams, own: () => given.reached().own })
    this.#inspector = new Inspector({ storage, guards: storage.guards })
    // A repository that was pushed here may have the name of an upstream's: pushed content is looked up here alone.
    const { content, settled } = pullThrough
    this.#holds = new Holds({ storage, content, settled, log })
  }

  /**
   * Stores nothing. The upstream has 8 s to answer.
   * @throws RegistryError  a sentence; ImageUnavailable lists the kinds
   */
  async inspect(reference: string, options: InspectOptions): Promise<ContainerImage> {
    return this.#inspector.inspect(this.#targets.of(reference), options)
  }

  /**
   * Every byte is here, and stays until the owner releases it or holds another one.
   * @throws RegistryError  it cannot be had; then the owner holds what they held before
   */
  async hold(image: ContainerImage, options: HoldOptions): Promise<void> {
    const { owner, secret, with: others = [], signal, progress } = options
    const first: Wanted = { image, target: this.#targets.of(image.reference) }
    const wanted = [first, ...(await this.#beside(first, others, secret))]
    await this.#guard(first.target, image, secret)
    const more = async () => this.#beside(first, await this.#boundBy(first, options), secret)
    const watching = { ...(signal && { signal }), ...(progress && { progress }), more }
    await this.#given.storage.mutex.run(`hold of ${owner}`, () => this.#holds.hold(owner, wanted, watching))
  }

  /** Further images that the first one needs. A secret is for the registry of the image that it came with. */
  async #beside(first: Wanted, references: readonly string[], secret: PullSecret | undefined): Promise<Wanted[]> {
    const wanted: Wanted[] = []
    for (const reference of references) {
      const target = this.#targets.of(reference)
      const own = target.reference.host === first.target.reference.host ? secret : undefined
      const { architecture } = first.image
      const image = await this.#inspector.inspect(target, { architecture, ...(own !== undefined && { secret: own }) })
      await this.#guard(target, image, own)
      wanted.push({ image, target })
    }
    return wanted
  }

  async #boundBy({ image, target: { name } }: Wanted, { bound_in: folder, signal }: HoldOptions): Promise<string[]> {
    if (folder === undefined) return []
    const { storage, log } = this.#given
    const layers = image.layers.map(({ digest: text }) => ({
      digest: text,
      async open() {
        const digest = parseDigest(text)
        const isHere = digest && (await localContent(storage).blobSize(name, digest)) !== undefined
        const file = isHere ? await storage.blobs.openFile(digest) : undefined
        if (file === undefined) throw new RegistryError(`Its layer ${text} is gone.`)
        return file
      },
    }))
    try {
      return await this.#bound.of(layers, { folder, ...(signal && { signal }) })
    } catch (error) {
      signal?.throwIfAborted()
      // The machine can still be deployed: it pulls what it lacks from the image's own registry.
      log.warn('what an image binds cannot be read', { reference: image.reference, reason: (error as Error).message })
      return []
    }
  }

  /**
   * Guards a repository before anything is pulled with a secret: content that needs the secret is for its bearers
   * only.
   */
  async #guard(target: Target, { digest: text, reference }: ContainerImage, secret: PullSecret | undefined) {
    const { upstream, name } = target
    const repository = upstream?.repositoryOf(name)
    const [credentials, digest] = [credentialsOf(secret), parseDigest(text)]
    if (secret === undefined || !credentials || !upstream || repository === undefined || !digest) return
    const ask = (as: typeof credentials | 'as configured') => isGiven(upstream, { repository, digest, as })
    const byIt = await ask(credentials)
    if (byIt === 'refused') {
      await this.#guards.drop(name, secret)
      throw new ImageUnavailable('refused', `Image ${reference} cannot be held: its registry refuses the pull secret.`)
    }
    const isRight = byIt === 'given' || (await this.#guards.isRight(name, secret))
    if (isRight) upstream.client.pullBy(credentials, repository)
    const openly = await ask('as configured')
    if (openly === 'given') {
      // Everybody may pull it: the secret only raises a rate limit.
      if (!upstream.config.credentials || this.#given.isOpen(name)) return this.#guards.lift(name)
      // The mirror's own credentials open it to nobody else: the host upgrades by its secret.
      return byIt === 'given' ? this.#guards.add(name, secret) : undefined
    }
    // The upstream does not answer: a stored repository without a guard stays open.
    const isOpen = openly === 'untold' && !this.#guards.isGuarded(name) && (await this.#isHere(name))
    if (isOpen) return
    if (byIt === 'given') return this.#guards.add(name, secret)
    if (isRight) return
    throw new ImageUnavailable(
      'unreachable',
      `Image ${reference} cannot be held: its registry cannot be asked whether the pull secret is right.`,
    )
  }

  async #isHere(name: RepositoryName): Promise<boolean> {
    return ((await localContent(this.#given.storage).tags(name)) ?? []).length > 0
  }

  /**
   * Ends the holds and the tickets of the owner; the images may be evicted again.
   * @returns whether the owner had holds
   */
  async release(owner: string): Promise<boolean> {
    const { state, mutex } = this.#given.storage
    await this.tickets.revoke(owner)
    return mutex.run(`hold of ${owner}`, async () => {
      if (state.holds[owner] === undefined) return false
      await state.hold(owner, [])
      return true
    })
  }

  /** Ends the tickets of an owner, whose deploy is over. */
  revoke(owner: string): Promise<void> {
    return this.tickets.revoke(owner)
  }

  /** How a machine reaches an image that is held. */
  async access({ reference }: Pick<ContainerImage, 'reference'>, options: AccessOptions): Promise<ImageAccess> {
    const { name } = this.#targets.of(reference)
    const { registry, insecure, ca } = this.#given.reached()
    const guarded = this.#guards.isGuarded(name) || !this.#given.isOpen(name)
    const ticket = guarded && options.for !== 'host' ? await this.#ticket(name, options) : undefined
    return {
      location: `${registry}/${name}`,
      registry,
      insecure,
      ...(ca !== undefined && { ca }),
      guarded,
      ...(ticket && { ticket }),
    }
  }

  async #ticket(name: RepositoryName, { owner, until }: AccessOptions): Promise<Ticket> {
    return until ? this.tickets.lend(owner, name, until) : this.tickets.give(owner, name)
  }

  /** Pull secrets and tickets, as Access asks for them. */
  get gate(): Gate {
    const { tickets } = this
    const guards = this.#guards
    return {
      get isEmpty() {
        return guards.isEmpty && tickets.isEmpty
      },
      isGuarded: guards.isGuarded,
      ticketOf: ({ username, password }) => (username === TICKET_USER ? tickets.idOf(password) : undefined),
      openedBy: (ticket) => tickets.repositoriesOf(ticket),
      opens: async (names, { username, password, value }) => {
        if (username === TICKET_USER) {
          const repositories = tickets.repositoriesOf(tickets.idOf(password))
          return names.filter((name) => repositories.includes(name))
        }
        const opened: RepositoryName[] = []
        for (const name of names) if (await this.#isSecretOf(name, value)) opened.push(name)
        return opened
      },
    }
  }

  /**
   * The client's own secret serves to ask the upstream for missing content: a restart forgets the secret of the hold.
   */
  async #isSecretOf(name: RepositoryName, value: PullSecret): Promise<boolean> {
    if (!(await this.#guards.isRight(name, value))) return false
    const credentials = credentialsOf(value)
    const { upstream, repository } = this.#given.pullThrough.sourceOf(name) ?? {}
    if (credentials && upstream && repository !== undefined) upstream.client.pullBy(credentials, repository)
    return true
  }

  close(): Promise<void> {
    this.#bound.close()
    return this.#holds.close()
  }
}

/** Whether the upstream gives an image for these credentials. @returns 'untold'  it does not answer */
async function isGiven(
  upstream: Upstream,
  { repository, digest, as }: { repository: string; digest: Digest; as: NonNullable<Asking['as']> },
): Promise<'given' | 'refused' | 'unknown' | 'untold'> {
  try {
    return (await upstream.digestOf(repository, digest, { as })) === undefined ? 'unknown' : 'given'
  } catch (error) {
    if (!(error instanceof UpstreamFailure)) throw error
    return error.kind === 'refused' ? 'refused' : 'untold'
  }
}
