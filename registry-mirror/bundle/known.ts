/**
 * What the other side has, told by an inventory of it or by a bundle that it has taken; and what a plan is without
 * that.
 */
import { readAll } from './ask.ts'
import type { RegistryClient } from './client.ts'
import { BundleError, type BundleFile, type BundleIndex, type Need } from './format.ts'
import { Planner } from './plan.ts'
import { readBundle } from './read.ts'
import { imagesFor } from './select.ts'

const INVENTORY_LIMIT_BYTES = 256 * 1024 * 1024
const FORMAT = 'rackstrap-inventory/1'

/** All as text, so that an inventory is easily compared and stored. */
export type Inventory = {
  format: typeof FORMAT
  created_at: string
  /** REPOSITORY:TAG@DIGEST */
  tags: readonly string[]
  /** REPOSITORY@DIGEST */
  manifests: readonly string[]
  blobs: readonly string[]
  /** NAME@DIGEST */
  files: readonly string[]
}
export type Known = Record<'tags' | 'manifests' | 'blobs' | 'files', ReadonlySet<string>>

export const NOTHING_KNOWN: Known = { tags: new Set(), manifests: new Set(), blobs: new Set(), files: new Set() }

const EVERYTHING = { platforms: [], referrers: true, missing: 'skip' } as const

/** What a registry has under its tags, with all that refers to it. */
export async function takeInventory(
  client: RegistryClient,
  { files, now }: { files: readonly BundleFile[]; now: Date },
): Promise<Inventory> {
  const planner = new Planner(client.local, EVERYTHING)
  const all = await imagesFor(client.local, ['*'], { mayBeNone: true })
  for (const { repository, reference } of all) await planner.add(repository, reference)
  return { format: FORMAT, created_at: now.toISOString(), ...listOf({ ...planner.plan, files, needs: [] }) }
}

type Listed = Pick<BundleIndex, 'images' | 'manifests' | 'blobs' | 'files' | 'needs'>

function listOf({ images, manifests, blobs, files, needs }: Listed): Record<keyof Known, readonly string[]> {
  const needed = (kind: Need['kind']) => needs.filter((need) => need.kind === kind)
  const places = [...manifests, ...needed('manifest')].flatMap(({ digest, repositories }) =>
    repositories.map((repository) => `${repository}@${digest}`),
  )
  return {
    tags: images.flatMap(({ repository, digest, tags }) => tags.map((tag) => `${repository}:${tag}@${digest}`)),
    manifests: places,
    blobs: [...blobs, ...needed('blob')].map(({ digest }) => digest),
    files: files.map(fileKey),
  }
}
export const fileKey = ({ name, digest }: { name: string; digest: string }) => `${name}@${digest}`

/**
 * @param source  an inventory, or a bundle
 * @throws BundleError  it is neither
 */
export async function readKnown(source: AsyncIterable<Uint8Array>): Promise<Known> {
  const chunks = source[Symbol.asyncIterator]()
  const { value: first, done } = await chunks.next()
  if (done) throw new BundleError('What --since names is empty: expected an inventory or a bundle.')
  const all = (async function* () {
    yield first
    yield* { [Symbol.asyncIterator]: () => chunks }
  })()
  const lists = first[0] === 0x7b ? await readInventory(all) : await readBundle(all, async ({ index }) => listOf(index))
  return {
    tags: new Set(lists.tags),
    manifests: new Set(lists.manifests),
    blobs: new Set(lists.blobs),
    files: new Set(lists.files),
  }
}

async function readInventory(source: AsyncIterable<Uint8Array>): Promise<Record<keyof Known, readonly string[]>> {
  const text = (await readAll(source, INVENTORY_LIMIT_BYTES)).toString()
  let json: Partial<Record<string, unknown>>
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new BundleError(`The inventory is no JSON: ${(error as Error).message}.`, { cause: error })
  }
  if (json.format !== FORMAT)
    throw new BundleError(`The inventory's format is ${JSON.stringify(json.format)}: expected '${FORMAT}'.`)
  const list = (name: keyof Known): string[] => {
    const value = json[name]
    if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
    throw new BundleError(`${name} of the inventory is no list of texts.`)
  }
  return { tags: list('tags'), manifests: list('manifests'), blobs: list('blobs'), files: list('files') }
}
