/**
 * Graphs of manifests and blobs as the specification allows them and few tools make them, from a seed; pushed to a
 * registry.
 */
import { descriptor, IMAGE, INDEX, type Json, pushBlob, pushManifest, sha256, type TestRegistry } from '../registry.ts'

export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json'
const ARTIFACT = 'application/vnd.oci.artifact.manifest.v1+json'
const CACHE_CONFIG = 'application/vnd.buildkit.cacheconfig.v0'
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip'

type Descriptor = { mediaType?: string; digest: string; size: number; [more: string]: unknown }
/** `reaches`: itself and all that it leads to, and where each is asked for. */
export type Pushed = { descriptor: Descriptor; text: string; type: string; reaches: ReadonlySet<string> }

/** Numbers of a known beginning, so that a failure can be had again. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed * 2_654_435_761 + 1
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/**
 * As `docker buildx build --cache-to type=registry` pushes it: an index of layers, and of the cache's own config.
 * @source BuildKit cache/remotecache/export.go
 */
export async function pushBuildCache(registry: TestRegistry, at: { name: string; tag: string; type?: string }) {
  const { name, tag, type = INDEX } = at
  const layers = ['base', 'sources', 'build'].map((text) => Buffer.from(`${text} of ${name}:${tag}`.repeat(50)))
  const config = Buffer.from(
    JSON.stringify({
      layers: layers.map((layer, index) => ({ blob: sha256(layer), parent: index - 1 })),
      records: layers.map((layer) => ({ digest: sha256(`step ${sha256(layer)}`), layers: [{ layer: 0 }] })),
    }),
  )
  for (const bytes of [...layers, config]) await pushBlob(registry, name, bytes)
  const manifests = [
    ...layers.map((layer) => ({
      ...descriptor(type === INDEX ? LAYER : 'application/vnd.docker.image.rootfs.diff.tar.gzip', layer),
      annotations: {
        'containerd.io/uncompressed': sha256(`plain ${sha256(layer)}`),
        'buildkit/createdat': '2026-01-02T03:04:05Z',
      },
    })),
    descriptor(CACHE_CONFIG, config),
  ]
  const text = JSON.stringify({ schemaVersion: 2, mediaType: type, manifests })
  const { status } = await pushManifest(registry, { name, reference: tag, type }, text)
  if (status !== 201) throw new Error(`pushing a build cache was answered with ${status}`)
  return {
    text,
    digest: sha256(text),
    blobs: [...layers, config].map(sha256),
    bytes: new Map([...layers, config].map((one) => [sha256(one), one])),
  }
}

/** Pushes `count` manifests into a repository, each of which may refer to those before it, and to blobs, in any way. */
export async function pushOddGraph(
  registry: TestRegistry,
  name: string,
  given: { seed: number; count: number },
): Promise<Pushed[]> {
  const random = randomFrom(given.seed)
  const pushed: Pushed[] = []
  const blob = async (): Promise<Descriptor> => {
    const bytes = Buffer.from(`blob ${given.seed} ${random(1e9)} `.repeat(1 + random(20)))
    await pushBlob(registry, name, bytes)
    const type = [
      LAYER,
      CACHE_CONFIG,
      'application/x-none',
      undefined,
      IMAGE,
      'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    ][random(6)]
    const { mediaType: _, ...plain } = descriptor('', bytes)
    return type === undefined ? plain : { mediaType: type, ...plain }
  }
  const any = async (): Promise<Descriptor> => {
    const earlier = pushed[random(pushed.length)]
    if (earlier === undefined || random(3) === 0) return blob()
    // A media type that lies, or is not told, makes it no less needed.
    const { mediaType: _, ...plain } = earlier.descriptor
    return [earlier.descriptor, plain, { ...plain, mediaType: 'application/x-none' }][random(3)] ?? plain
  }
  const many = async (make: () => Promise<Descriptor>) => {
    const list: Descriptor[] = []
    for (let left = random(4); left > 0; left--) list.push(await make())
    return list
  }
  for (let at = 0; at < given.count; at++) {
    const shape = random(5)
    const type = [IMAGE, INDEX, DOCKER_LIST, ARTIFACT, INDEX][shape] ?? IMAGE
    const json: Json = { schemaVersion: 2, mediaType: type, annotations: { seed: `${given.seed} ${at}` } }
    if (type === IMAGE) Object.assign(json, { config: await blob(), layers: await many(blob) })
    if (type === ARTIFACT) json.blobs = await many(blob)
    if (type === INDEX || type === DOCKER_LIST) json.manifests = await many(any)
    if (random(4) === 0) json.subject = await any()
    if (random(4) === 0) json['x-of-tomorrow'] = { deep: [{ deeper: await any() }] }
    if (random(6) === 0) json.fsLayers = [{ blobSum: (await blob()).digest }]
    // It is nowhere to be had here, which is no error.
    if (type === IMAGE && random(4) === 0)
      (json.layers as Descriptor[]).push({
        ...descriptor(LAYER, `elsewhere ${at}`),
        urls: ['https://example.com/layer'],
      })
    const text = JSON.stringify(json)
    const { status, body } = await pushManifest(registry, { name, reference: sha256(text), type }, text)
    if (status !== 201) throw new Error(`pushing ${text} was answered with ${status}: ${body}`)
    const reaches = new Set([sha256(text)])
    for (const [digest] of text.matchAll(/sha256:[0-9a-f]{64}/g)) {
      const inner = pushed.find((one) => one.descriptor.digest === digest)
      for (const one of inner?.reaches ?? [digest]) if (one !== sha256(`elsewhere ${at}`)) reaches.add(one)
    }
    pushed.push({ descriptor: descriptor(type, text), text, type, reaches })
  }
  return pushed
}

/** Of digests, those that a repository answers for, as manifest or as blob. */
export async function answeredBy(registry: TestRegistry, name: string, digests: Iterable<string>): Promise<string[]> {
  const found: string[] = []
  for (const digest of digests)
    for (const kind of ['manifests', 'blobs'])
      if ((await registry.ask('HEAD', `/v2/${name}/${kind}/${digest}`)).status === 200) found.push(`${kind} ${digest}`)
  return found.sort()
}
