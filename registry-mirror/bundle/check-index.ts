/** Reads the index of a bundle, which may come from anywhere: only a valid index passes. */
import { JsonTooMuch, parseJson } from '@appliance/ground/json-meter'
import { type Digest, parseDigest } from '../oci/digest.ts'
import { MANIFEST_LIMIT_BYTES, MANIFEST_MEDIA_TYPES } from '../oci/manifest.ts'
import { parseName, parseTag } from '../oci/names.ts'
import {
  type BundleBlob,
  BundleError,
  type BundleFile,
  type BundleImage,
  type BundleIndex,
  type BundleManifest,
  ENTRY_LIMIT,
  FORMAT,
  isFileName,
  type Need,
} from './format.ts'

/** An entry has 8 values, and one for each further repository. */
const JSON_LIMITS = { depth: 8, values: 20 * ENTRY_LIMIT } as const

type Json = Record<string, unknown>

const damaged = (what: string) => new BundleError(`The index of the bundle cannot be used: ${what}.`)

/** @throws BundleError */
export function parseBundleIndex(bytes: Uint8Array): BundleIndex {
  const json = objectOf(jsonIn(bytes), 'it')
  if (json.format !== FORMAT)
    throw damaged(`its format is ${shown(json.format)}: expected '${FORMAT}'. A newer Rackstrap may have made it`)
  const index: BundleIndex = {
    format: FORMAT,
    created_at: textOf(json.created_at, 'created_at'),
    images: listOf(json.images, 'images', imageOf),
    blobs: listOf(json.blobs, 'blobs', blobOf),
    files: listOf(json.files, 'files', fileOf),
    manifests: listOf(json.manifests, 'manifests', manifestOf),
    needs: listOf(json.needs, 'needs', needOf),
  }
  checkWhole(index)
  return index
}

/** Rules between the entries: none twice, no image without its manifest. */
function checkWhole({ images, blobs, files, manifests, needs }: BundleIndex): void {
  const count = blobs.length + files.length + manifests.length + needs.length
  if (count > ENTRY_LIMIT || images.length > ENTRY_LIMIT)
    throw damaged(`it lists ${Math.max(count, images.length)} things: expected at most ${ENTRY_LIMIT}`)
  unique([...blobs, ...manifests, ...needs].map(({ digest }) => digest))
  unique(files.map(({ name }) => name))
  const places = new Set(manifests.flatMap(({ digest, repositories }) => repositories.map((one) => `${one}@${digest}`)))
  for (const { repository, digest } of images)
    if (!places.has(`${repository}@${digest}`)) throw damaged(`image ${repository}@${digest} has no manifest in it`)
  const folders = new Set(files.flatMap(({ name }) => foldersOf(name)))
  for (const { name } of files) if (folders.has(name)) throw damaged(`${name} is a file and a folder`)
}

function unique(names: readonly string[]): void {
  const seen = new Set<string>()
  for (const name of names) {
    if (seen.has(name)) throw damaged(`it lists ${name} twice`)
    seen.add(name)
  }
}

const foldersOf = (name: string) =>
  name.split('/').flatMap((_, depth, parts) => (depth === 0 ? [] : [parts.slice(0, depth).join('/')]))

function imageOf(json: Json): BundleImage {
  return {
    repository: nameOf(json.repository),
    digest: digestIn(json),
    tags: strings(json.tags, 'tags').map((text) => parseTag(text) ?? fail(`${shown(text)} is no tag`)),
  }
}

function needOf(json: Json): Need {
  const { kind } = json
  if (kind !== 'blob' && kind !== 'manifest') throw damaged(`it needs a ${shown(kind)}: expected a blob or a manifest`)
  return { kind, digest: digestIn(json), repositories: repositoriesOf(json) }
}

function blobOf(json: Json): BundleBlob {
  return { digest: digestIn(json), size_bytes: sizeIn(json), repositories: repositoriesOf(json) }
}

function manifestOf(json: Json): BundleManifest {
  const media_type = textOf(json.media_type, 'media_type')
  if (!MANIFEST_MEDIA_TYPES.includes(media_type)) throw damaged(`${shown(media_type)} is the type of no manifest`)
  const blob = blobOf(json)
  if (blob.size_bytes > MANIFEST_LIMIT_BYTES)
    throw damaged(`manifest ${blob.digest} has ${blob.size_bytes} bytes: expected at most ${MANIFEST_LIMIT_BYTES}`)
  const as_blob_in = json.as_blob_in === undefined ? [] : repositoriesOf(json, 'as_blob_in')
  return { ...blob, media_type, ...(as_blob_in.length > 0 && { as_blob_in }) }
}

function fileOf(json: Json): BundleFile {
  const name = textOf(json.name, 'name')
  if (!isFileName(name)) throw damaged(`${shown(name)} cannot name a file: expected a plain, relative name`)
  return { name, digest: digestIn(json), size_bytes: sizeIn(json) }
}

function repositoriesOf(json: Json, field: 'repositories' | 'as_blob_in' = 'repositories') {
  const names = strings(json[field], field).map(nameOf)
  if (names.length === 0) throw damaged(`${shown(json.digest)} belongs to no repository`)
  return names
}

const nameOf = (value: unknown) =>
  (typeof value === 'string' ? parseName(value) : undefined) ?? fail(`${shown(value)} cannot name a repository`)

const digestIn = ({ digest }: Json): Digest =>
  (typeof digest === 'string' ? parseDigest(digest) : undefined) ?? fail(`${shown(digest)} is no digest`)

function sizeIn({ size_bytes }: Json): number {
  if (typeof size_bytes !== 'number' || !Number.isSafeInteger(size_bytes) || size_bytes < 0)
    throw damaged(`size_bytes is ${shown(size_bytes)}: expected a number of bytes`)
  return size_bytes
}

function jsonIn(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes, JSON_LIMITS)
  } catch (error) {
    if (error instanceof JsonTooMuch) throw damaged(error.message)
    throw damaged(`it is no JSON (${(error as Error).message})`)
  }
}

function listOf<T>(value: unknown, what: string, read: (json: Json) => T): T[] {
  if (!Array.isArray(value)) throw damaged(`${what} is ${shown(value)}: expected a list`)
  return value.map((one) => read(objectOf(one, `one of ${what}`)))
}

function strings(value: unknown, what: string): string[] {
  if (!Array.isArray(value)) throw damaged(`${what} is ${shown(value)}: expected a list`)
  return value.map((one) => textOf(one, `one of ${what}`))
}

function objectOf(value: unknown, what: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw damaged(`${what} is ${shown(value)}: expected an object`)
  return value as Json
}

const textOf = (value: unknown, what: string) =>
  typeof value === 'string' ? value : fail(`${what} is ${shown(value)}: expected text`)

function fail(what: string): never {
  throw damaged(what)
}

const shown = (value: unknown) => (JSON.stringify(value) ?? 'missing').slice(0, 100)
