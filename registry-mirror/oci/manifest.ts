/** What a manifest says: its media type, what it refers to, what it is about. Judges only its form. */
import { isObject, type JsonObject } from '@appliance/ground/json'
import { JsonTooMuch, parseJson } from '@appliance/ground/json-meter'
import { type Digest, parseDigest } from './digest.ts'
import { manifestInvalid, type OciError } from './errors.ts'

/** OCI dist-spec: at least 4 MiB; Docker's registries take no more. */
export const MANIFEST_LIMIT_BYTES = 4 * 1024 * 1024

/** 7 of a layer, so some 7,000 layers: what is understood in 50 ms. No image has 500. */
const VALUES_LIMIT = 50_000

/** All that are taken, and whether they list manifests (an index) or blobs (an image). */
const MEDIA_TYPES: Readonly<Record<string, 'index' | 'image'>> = {
  'application/vnd.oci.image.manifest.v1+json': 'image',
  'application/vnd.oci.image.index.v1+json': 'index',
  'application/vnd.docker.distribution.manifest.v2+json': 'image',
  'application/vnd.docker.distribution.manifest.list.v2+json': 'index',
  // Of a release candidate of OCI 1.1; some older signatures and SBOMs are stored so.
  'application/vnd.oci.artifact.manifest.v1+json': 'image',
}
export const MANIFEST_MEDIA_TYPES: readonly string[] = Object.keys(MEDIA_TYPES)
export const INDEX_MEDIA_TYPE = 'application/vnd.oci.image.index.v1+json'

export type Manifest = {
  mediaType: string
  /** Without those that are fetched from elsewhere (foreign, nondistributable). */
  blobs: readonly Digest[]
  /** Foreign layers, also such as an index lists; here or not. */
  foreignBlobs: readonly Digest[]
  /** What an index lists. Some may be blobs: BuildKit lists the layers of its cache there. */
  manifests: readonly Digest[]
  /** Of `manifests`, those whose descriptor names a media type of no manifest. */
  listedBlobs: ReadonlySet<Digest>
  /** Of descriptors in any other field, whatever they are. */
  others: readonly Digest[]
  subject?: Digest
  /** As a referrers list tells it: of an image without one, the media type of its config. */
  artifactType?: string
  annotations?: Readonly<Record<string, string>>
}

/**
 * @param contentType  as the client sent it, parameters and all; undefined: the manifest's own mediaType counts
 * @throws OciError  MANIFEST_INVALID
 */
export function parseManifest(bytes: Uint8Array, contentType?: string): Manifest {
  const json = parseObject(bytes)
  const mediaType = mediaTypeOf(json, contentType)
  const kind = MEDIA_TYPES[mediaType]
  if (json.schemaVersion !== undefined && json.schemaVersion !== 2)
    throw manifestInvalid(`The manifest has schemaVersion ${JSON.stringify(json.schemaVersion)}: expected 2.`)
  const config = kind === 'image' && json.config !== undefined ? [descriptorOf(json.config, 'config')] : []
  const layers = kind === 'image' ? [...descriptorsOf(json, 'layers'), ...descriptorsOf(json, 'blobs')] : []
  const subject =
    json.subject === undefined || json.subject === null ? undefined : descriptorOf(json.subject, 'subject')
  const artifactType = textOf(json.artifactType) || config[0]?.mediaType
  const annotations = annotationsOf(json.annotations)
  const listed = kind === 'index' ? descriptorsOf(json, 'manifests') : []
  const known = new Set([...config, ...layers, ...listed, ...(subject ? [subject] : [])].map(({ digest }) => digest))
  return {
    mediaType,
    blobs: [...config, ...layers.filter((layer) => !isForeign(layer))].map(({ digest }) => digest),
    foreignBlobs: [...layers, ...listed].filter(isForeign).map(({ digest }) => digest),
    manifests: listed.map(({ digest }) => digest),
    listedBlobs: new Set(listed.filter(isOtherThanManifest).map(({ digest }) => digest)),
    others: digestsIn(json, known),
    ...(subject && { subject: subject.digest }),
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations && { annotations }),
  }
}

type Descriptor = { mediaType: string | undefined; digest: Digest; urls: unknown }

function parseObject(bytes: Uint8Array): JsonObject {
  try {
    const json: unknown = parseJson(bytes, { values: VALUES_LIMIT })
    if (isObject(json)) return json
  } catch (error) {
    if (error instanceof JsonTooMuch) throw manifestInvalid(`The manifest is too much to read: ${error.message}.`)
    throw manifestInvalid(`The manifest is no JSON: ${(error as Error).message}.`)
  }
  throw manifestInvalid('The manifest is no JSON object.')
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : undefined)

function mediaTypeOf({ mediaType }: JsonObject, contentType: string | undefined): string {
  const told = contentType?.split(';')[0]?.trim().toLowerCase()
  const type = told ?? textOf(mediaType)
  if (type === undefined) throw manifestInvalid('Neither Content-Type nor mediaType says what the manifest is.')
  if (mediaType !== undefined && mediaType !== type)
    throw manifestInvalid(`The Content-Type is ${type}, but the manifest says ${JSON.stringify(mediaType)}.`)
  if (!Object.hasOwn(MEDIA_TYPES, type))
    throw manifestInvalid(`${type} is not kept here: expected one of ${MANIFEST_MEDIA_TYPES.join(', ')}.`)
  return type
}

function descriptorsOf(json: JsonObject, field: string): Descriptor[] {
  const list = json[field]
  if (list === undefined || list === null) return []
  if (!Array.isArray(list)) throw manifestInvalid(`The manifest's ${field} are no list.`)
  return list.map((one, at) => descriptorOf(one, field, at))
}

function descriptorOf(value: unknown, field: string, at?: number): Descriptor {
  const wrong = (what: string): OciError =>
    manifestInvalid(`The manifest's ${at === undefined ? field : `${field}[${at}]`} ${what}.`)
  if (!isObject(value)) throw wrong('is no descriptor')
  const digest = parseDigest(textOf(value.digest) ?? '')
  if (digest === undefined)
    throw wrong(`has the digest ${JSON.stringify(value.digest)}: expected sha256 or sha512 in lower-case hex`)
  if (!Number.isSafeInteger(value.size) || (value.size as number) < 0)
    throw wrong(`has the size ${JSON.stringify(value.size)}: expected a number of bytes`)
  return { mediaType: textOf(value.mediaType), digest, urls: value.urls }
}

/** Layers that the image specification lets a registry do without. */
const isForeign = ({ mediaType = '', urls }: Descriptor) =>
  /nondistributable|\.foreign\./.test(mediaType) || (Array.isArray(urls) && urls.length > 0)

const isOtherThanManifest = ({ mediaType }: Descriptor) =>
  mediaType !== undefined && mediaType !== '' && !Object.hasOwn(MEDIA_TYPES, mediaType.toLowerCase())

/**
 * Digests of everything else that looks like a descriptor, wherever it stands. In schema 1 a layer's field is blobSum.
 * Other tools read the names of fields in upper and lower case.
 */
function digestsIn(json: JsonObject, known: ReadonlySet<string>): Digest[] {
  const found = new Set<Digest>()
  // No recursion: the nesting is the sender's.
  const open: object[] = [json]
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    for (const name in value) {
      const one: unknown = Reflect.get(value, name)
      if (typeof one === 'object' && one !== null) open.push(one)
      if (typeof one !== 'string' || !isNameOfDigest(name) || known.has(one)) continue
      const digest = parseDigest(one)
      if (digest !== undefined) found.add(digest)
    }
  }
  return [...found]
}

const isNameOfDigest = (name: string) =>
  (name.length === 6 && name.toLowerCase() === 'digest') || (name.length === 7 && name.toLowerCase() === 'blobsum')

function annotationsOf(value: unknown): Record<string, string> | undefined {
  if (!isObject(value)) return undefined
  // Removed rather than copied: a copy of very many costs more than all the rest.
  for (const name in value) if (typeof value[name] !== 'string') delete value[name]
  return value as Record<string, string>
}
