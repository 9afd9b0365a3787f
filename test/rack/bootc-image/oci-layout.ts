/** Container images as OCI layouts, made of folders: one layer at a time over another layout. Pushes nothing. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { link, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

type Descriptor = { mediaType: string; digest: string; size: number }
type Manifest = { config: Descriptor; layers: readonly Descriptor[] } & Record<string, unknown>
type Config = {
  config: { Labels?: Record<string, string> } & Record<string, unknown>
  rootfs: { type: 'layers'; diff_ids: readonly string[] }
  history: readonly object[]
} & Record<string, unknown>
export type LayoutImage = { digest: string; manifest: Manifest; config: Config }

const OCI = 'application/vnd.oci.image'
/** As skopeo names it: oci:FOLDER:latest. */
export const LAYOUT_TAG = 'latest'
const CREATED = '2026-01-01T00:00:00Z'
/** bootc refuses an image of several layers that tells of fewer ("Truncated history"). */
const ENTRY = { created: CREATED, created_by: 'oci-layout' }
const blobs = (layout: string) => join(layout, 'blobs/sha256')
const blob = (layout: string, digest: string) => join(blobs(layout), digest.replace('sha256:', ''))

/** @param folder  an OCI layout with one image */
export async function readLayout(folder: string): Promise<LayoutImage> {
  const index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8'))
  const digest: string = index.manifests[0].digest
  const manifest: Manifest = JSON.parse(await readFile(blob(folder, digest), 'utf8'))
  return { digest, manifest, config: JSON.parse(await readFile(blob(folder, manifest.config.digest), 'utf8')) }
}

/** An image without any content yet. */
export async function createLayout(folder: string, config: Config['config']): Promise<void> {
  await mkdir(blobs(folder), { recursive: true })
  const rootfs = { type: 'layers', diff_ids: [] } as const
  await writeImage(folder, [], { architecture: 'amd64', os: 'linux', created: CREATED, config, rootfs, history: [] })
}

/** Makes `to` of the image in `from` and a layer with all that lies in `tree`. @returns its digest */
export async function addLayer(
  from: string,
  to: string,
  tree: string,
  labels: Record<string, string> = {},
): Promise<string> {
  const { manifest, config } = await readLayout(from)
  await mkdir(blobs(to), { recursive: true })
  if (from !== to)
    for (const name of await readdir(blobs(from))) await link(join(blobs(from), name), join(blobs(to), name))
  const { layer, diff_id } = await packLayer(to, tree)
  return writeImage(to, [...manifest.layers, layer], {
    ...config,
    config: { ...config.config, Labels: { ...config.config.Labels, ...labels } },
    rootfs: { ...config.rootfs, diff_ids: [...config.rootfs.diff_ids, diff_id] },
    history: [...historyOf(config), ENTRY],
  })
}

const historyOf = ({ history, rootfs }: Config): readonly unknown[] =>
  Array.isArray(history) ? history : rootfs.diff_ids.map(() => ENTRY)

async function packLayer(layout: string, tree: string): Promise<{ layer: Descriptor; diff_id: string }> {
  const args = ['--sort=name', '--numeric-owner', `--mtime=${CREATED}`, '--xattrs', '--one-file-system']
  const tar = spawn('tar', ['-C', tree, ...args, '-cf', '-', '.'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<number | null>((resolve) => tar.once('close', resolve))
  const [plain, packed] = [meter(), meter()]
  const part = join(layout, 'layer.part')
  await pipeline(tar.stdout, plain.stream, createGzip({ level: 1 }), packed.stream, createWriteStream(part))
  if ((await ended) !== 0) throw new Error(`tar could not read ${tree} to its end`)
  const digest = packed.digest()
  await rename(part, blob(layout, digest))
  const layer = { mediaType: `${OCI}.layer.v1.tar+gzip`, digest, size: packed.bytes() }
  return { layer, diff_id: plain.digest() }
}

/** Hashes and counts what goes through. */
function meter() {
  const hash = createHash('sha256')
  let count = 0
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      count += chunk.length
      done(null, chunk)
    },
  })
  return { stream, digest: () => `sha256:${hash.digest('hex')}`, bytes: () => count }
}

async function writeImage(layout: string, layers: readonly Descriptor[], image: object): Promise<string> {
  const config = await writeBlob(layout, `${OCI}.config.v1+json`, image)
  const mediaType = `${OCI}.manifest.v1+json`
  const manifest = await writeBlob(layout, mediaType, { schemaVersion: 2, mediaType, config, layers })
  const annotations = { 'org.opencontainers.image.ref.name': LAYOUT_TAG }
  await writeFile(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] }
  await writeFile(join(layout, 'index.json'), JSON.stringify(index))
  return manifest.digest
}

async function writeBlob(layout: string, mediaType: string, value: object): Promise<Descriptor> {
  const text = JSON.stringify(value)
  const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`
  await writeFile(blob(layout, digest), text)
  return { mediaType, digest, size: Buffer.byteLength(text) }
}

/** @returns whether every blob is what its name says */
export async function isSound(layout: string): Promise<boolean> {
  for (const name of await readdir(blobs(layout))) {
    const hash = createHash('sha256')
    for await (const chunk of createReadStream(join(blobs(layout), name))) hash.update(chunk)
    if (hash.digest('hex') !== name) return false
  }
  return true
}
