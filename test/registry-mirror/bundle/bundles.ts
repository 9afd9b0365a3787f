/** Bundles of test registries, and tars as nobody should make them. */
import { createReadStream, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { type Header, pack } from 'tar-stream'
import type { ExportWanted } from '../../../registry-mirror/bundle/export.ts'
import type { ImportGiven } from '../../../registry-mirror/bundle/import.ts'
import {
  type BundleIndex,
  findFiles,
  type ImportResult,
  importBundle,
  planBundle,
  saveBundle,
  sourceOf,
  withRegistry,
} from '../../../registry-mirror/bundle.ts'
import { configOf, imageIn, logTo, pushManifest, sha256, type TestRegistry, temporaryFolder } from '../registry.ts'

export const MADE = new Date('2026-01-02T03:04:05Z')

type Place = Pick<TestRegistry, 'port' | 'folder'>
const configFor = ({ port, folder }: Place) => ({ ...configOf(folder), port })

/** @returns the path of the bundle, and its index */
export async function exportFrom(
  t: TestContext,
  from: Place,
  wanted: Omit<ExportWanted, 'files'> & { paths?: readonly string[] },
): Promise<{ path: string; index: BundleIndex }> {
  const path = join(temporaryFolder(t), 'bundle.tar')
  const { paths = [], ...rest } = wanted
  const files = await findFiles(paths)
  const index = await withRegistry(configFor(from), logTo([]), async (client) => {
    const planned = await planBundle(client, { now: MADE, ...rest, files })
    await saveBundle(path, planned, sourceOf(client, files))
    return planned
  })
  return { path, index }
}

export function importInto(
  to: Place,
  path: string,
  given: Omit<ImportGiven, 'storage_path'> = {},
): Promise<ImportResult> {
  return withRegistry(configFor(to), logTo([]), (client) =>
    importBundle(client, createReadStream(path), { storage_path: to.folder, ...given }),
  )
}

/** An image under a tag. @returns its digest */
export async function tagImage(registry: TestRegistry, name: string, tag: string): Promise<string> {
  const text = await imageIn(registry, name)
  await pushManifest(registry, { name, reference: tag }, text)
  return sha256(text)
}

/** What is to be seen of a registry: each tag of each repository, with its digest. */
export async function tagsOf(registry: TestRegistry): Promise<Record<string, unknown>> {
  const { json } = await registry.ask('GET', '/v2/_catalog')
  const found: Record<string, unknown> = {}
  for (const name of (json?.repositories ?? []) as string[]) {
    const list = await registry.ask('GET', `/v2/${name}/tags/list`)
    for (const tag of (list.json?.tags ?? []) as string[])
      found[`${name}:${tag}`] = (await registry.ask('HEAD', `/v2/${name}/manifests/${tag}`)).headers[
        'docker-content-digest'
      ]
  }
  return found
}

export type TarEntry = Partial<Header> & { name: string; content?: string | Uint8Array }

/** A tar with just these entries. */
export async function writeTar(path: string, entries: readonly TarEntry[]): Promise<void> {
  const tar = pack()
  for (const { content = '', ...header } of entries) tar.entry({ ...header }, content)
  tar.finalize()
  writeFileSync(path, await buffer(tar as AsyncIterable<Uint8Array> as never))
}

export const emptyIndex: BundleIndex = {
  format: 'rackstrap-bundle/1',
  created_at: MADE.toISOString(),
  images: [],
  blobs: [],
  files: [],
  manifests: [],
  needs: [],
}
