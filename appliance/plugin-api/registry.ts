/**
 * The part of the contract about container images: what a plugin may ask of this appliance's registry mirror. Types
 * only.
 */

/** base64 of user:password, as in a registry's auth file. */
export type PullSecret = string

export type ContainerImage = {
  /** With its tag: quay.io/org/app:v1; without one, with its digest. */
  reference: string
  /** What the reference meant when it was asked for: of an index, or of the manifest itself. */
  digest: string
  /** Of the platform's own manifest; equal to `digest` when there is no index. */
  manifest_digest: string
  /** OCI's word: amd64, arm64. */
  architecture: string
  labels: Readonly<Record<string, string>>
  layers: readonly { digest: string; size_bytes: number }[]
  /** All layers and the config, compressed. */
  size_bytes: number
  /** Why it is what the mirror has, and not what the upstream says now. */
  warning?: string
}

/** How a machine gets at an image that is held. */
export type ContainerAccess = {
  /** Where the mirror has it, without tag or digest: <host:port>/quay.io/org/app. */
  location: string
  /** <host:port> */
  registry: string
  /** Plain http, or a certificate that is not to be looked at. */
  insecure: boolean
  /** PEM, of the authority that vouches for the mirror's certificate. */
  ca?: string
  /** Only who has the image's pull secret, a ticket, or credentials of the mirror can pull it. */
  guarded: boolean
  /** For this deploy alone, to be used once it runs; worth nothing when it has ended. */
  ticket?: { username: string; password: string }
}

/**
 * A *reference* is host[:port]/path[:tag][@digest].
 * Failures are sentences for the operator: let them pass. Secrets stay in memory, and reach the image's own registry
 * only.
 */
export type ContainerRegistry = {
  /**
   * Reads what a person set as the pull secret of an image: base64 of USER:PASSWORD, USER:PASSWORD, an auth file of
   * docker or podman (as text, base64 or object) with an entry for the image or its registry, or a Kubernetes secret
   * around one. Asks nobody.
   * @returns problem: how the sentence goes on that begins with the field's name; without an end, and without anything
   * secret
   */
  readSecret(value: unknown, reference: string): { secret: PullSecret } | { problem: string }
  /** Asks the upstream, or what is here when it is dead; within 10 s. Holds nothing. */
  inspect(reference: string, o: { architecture: string; secret?: PullSecret }): Promise<ContainerImage>
  /**
   * Every byte is in the mirror when it resolves, and stays there for this node until it is torn down or holds another
   * image.
   * The node's record then shows reference and digest as driver_internal_info/container_image. Shows its progress.
   * @param o.with  references of images that it needs beside itself
   * @param o.bound_in  absolute path of a folder in the image: what the quadlets (*.image, *.container) in it name is
   * needed as well
   */
  hold(image: ContainerImage, o?: { secret?: PullSecret; with?: readonly string[]; bound_in?: string }): Promise<void>
  /**
   * Of an image that is held.
   * @param o.for  deploy (default): with a ticket where one is needed; guest: the same, as one of `task.guest` with
   * `mirror: true` reaches it; host: without
   * @param o.until  the ticket is for work of the appliance that other nodes may wait for: it ends then, and not with
   * this node's deploy
   */
  access(
    image: Pick<ContainerImage, 'reference'>,
    o?: { for?: 'deploy' | 'guest' | 'host'; until?: AbortSignal },
  ): Promise<ContainerAccess>
}
