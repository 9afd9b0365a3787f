/**
 * The container to deploy: the rack's own, an OCI layout, or a reference that is fetched once. Makes and fetches;
 * pushes nothing.
 */
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { ensureBootcImage } from './bootc-image/build.ts'
import { LAYOUT_TAG, readLayout } from './bootc-image/oci-layout.ts'
import { cacheFolder, type Tell } from './cache.ts'
import { ImageError } from './image.ts'
import { run } from './run-program.ts'

export type ContainerImage = {
  /** Folder of the OCI layout; skopeo's name for what is in it. */
  layout: string
  source: string
  /** Canonical, without oci://; the rack's upstream stands for its host. */
  reference: string
  digest: string
  /** All layers, compressed. */
  bytes: number
  /** Ours: it takes its host name from the config drive, and tells all about itself when it phones home. */
  isOwn: boolean
  /** What it is, for the person who reads. */
  kind: string
}

/** Nobody in the world has this name. */
export const OWN_HOST = 'registry.example'
export const OWN_REPOSITORY = 'rack/os'
/** What a host that was installed from it follows. */
export const OWN_TAG = 'stable'
const FETCH_DEADLINE_S = 3600

/**
 * @param source  an OCI layout's folder, or a reference; our own when undefined.
 * @throws ImageError, or the builder's last words
 */
export async function prepareContainer(
  source: string | undefined,
  signal: AbortSignal,
  tell?: Tell,
): Promise<ContainerImage> {
  if (source === undefined) {
    const { kind, layouts } = await ensureBootcImage(signal, tell)
    return describe({ layout: layouts[1], reference: `${OWN_HOST}/${OWN_REPOSITORY}:${OWN_TAG}`, kind, isOwn: true })
  }
  const folder = resolve(source)
  if (await isLayout(folder)) {
    const name =
      basename(folder)
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, '-')
        .replace(/^-|-$/g, '') || 'image'
    return describe({ layout: folder, reference: `${OWN_HOST}/${name}:latest`, kind: `layout ${folder}`, isOwn: false })
  }
  const reference = source.replace(/^oci:\/\//, '')
  if (!/^[a-z0-9.-]+(:\d+)?\/[a-z0-9._/-]+:[\w.-]+$/.test(reference)) {
    throw new ImageError(
      `--image ${source} is neither the folder of an OCI layout (it has no file oci-layout) nor a reference such as quay.io/org/image:tag`,
    )
  }
  const layout = join(cacheFolder(), 'downloads', `container-${digestOf(reference)}`)
  tell?.(`fetching ${reference}`)
  const to = `oci:${layout}:${LAYOUT_TAG}`
  await run('skopeo', ['copy', '--quiet', `docker://${reference}`, to], { signal, timeout_s: FETCH_DEADLINE_S })
  return describe({ layout, reference, kind: reference, isOwn: false })
}

/** @returns host, and what it calls the image: org/app:tag */
export function splitReference(reference: string): [host: string, name: string] {
  const slash = reference.indexOf('/')
  return [reference.slice(0, slash), reference.slice(slash + 1)]
}

async function describe(
  image: Pick<ContainerImage, 'layout' | 'reference' | 'kind' | 'isOwn'>,
): Promise<ContainerImage> {
  const { digest, manifest } = await readLayout(image.layout)
  const bytes = (manifest.layers ?? []).reduce((sum, { size }) => sum + size, 0)
  return { ...image, digest, bytes, source: `oci:${image.layout}` }
}

const isLayout = (folder: string) =>
  stat(join(folder, 'oci-layout')).then(
    () => true,
    () => false,
  )

const digestOf = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 12)
