/**
 * Puts the image cache together: what a node's image_source becomes, and who may fetch it. Never decides which image a
 * node gets.
 */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { createReach } from '@appliance/ground/reach'
import { NO_RESERVE, type Reserve } from '@appliance/ground/reserve'
import type { Config } from '../config/options.ts'
import { InsufficientStorage, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { createCache } from './cache/cache.ts'
import { type Entry, fileOf } from './cache/entry.ts'
import { createFlights } from './cache/flights.ts'
import { createLinks, fileName, nodeOfLink, subdirOf } from './cache/links.ts'
import { bootImagesOf } from './format/boot-catalogue.ts'
import { checkFormat, isRaw } from './format/image-format.ts'
import type { Door, FileRequest, ImageRequest, Images, ServedFile, ServedImage } from './images.ts'
import { makeImage } from './make-image.ts'
import { lookUpstream } from './pass-through.ts'
import { endOf, identityOf, inWordsOf, prepareFile, readFileOrder, readText } from './plain-file.ts'
import { prepareImage } from './prepare-image.ts'
import { createPublish } from './publish.ts'
import { createGzipMaker } from './serve/gzip-maker.ts'
import { createImageServer } from './serve/image-server.ts'
import { type Checksum, checksumFromFile, isStrong } from './source/checksum.ts'
import { fingerprintFile } from './source/copy-file.ts'
import { createUpstream } from './source/upstream.ts'
import { type ImageOrder, readImageOrder } from './validate-image.ts'

export type ImagesOptions = {
  config: Config
  log: Log
  /** Base that machines use, without a slash at the end. */
  http_url(): string
  /** What no image takes of the disk; left out: nothing. */
  reserve?: Reserve
  /** Who may fetch what is for one node; left out: everybody who knows its uuid. */
  door?: Door
  /** Bytes that have gone out. */
  onBytes?(bytes: number): void
  /** Those that nodes name: no image is fetched from there. */
  bmcAddresses?(): Iterable<string>
}

const MIB = 1024 * 1024
const MINUTE_MS = 60_000
const CHECKSUM_FILE_LIMIT_BYTES = 4 * MIB

/** @throws InvalidParameterValue  [DEFAULT] webserver_verify_ca is of no use */
export function createImages(options: ImagesOptions): Images {
  const { config, log, http_url, door, onBytes, bmcAddresses = () => [], reserve = NO_RESERVE } = options
  const subdir = subdirOf(config)
  const cacheFolder = config.pxe.instance_master_path
  const links = createLinks(join(config.deploy.http_root, subdir), cacheFolder)
  const cache = createCache({
    folder: cacheFolder,
    size_bytes: config.pxe.image_cache_size * MIB,
    ttl_ms: config.pxe.image_cache_ttl * MINUTE_MS,
    linked: links.keys,
    reserve,
    log,
  })
  const { webserver_verify_ca, webserver_connection_timeout, reachable_networks, bmc_networks } = config.DEFAULT
  const upstream = createUpstream({
    verify_ca: webserver_verify_ca,
    timeout_s: webserver_connection_timeout,
    reach: createReach({
      ...{ allowed: reachable_networks, option: '[DEFAULT] reachable_networks' },
      refused: () => [
        { networks: bmc_networks, what: 'in [DEFAULT] bmc_networks' },
        { networks: bmcAddresses(), what: "the address of a node's BMC" },
      ],
    }),
  })
  const flights = createFlights<Entry>(config.DEFAULT.image_download_concurrency)
  const { makeRoom, keepRoom, watchRoom } = cache
  const shop = { config, log, upstream, makeRoom, keepRoom, watchRoom }
  const convert = config.DEFAULT.force_raw_images && config.agent.stream_raw_images
  const gzip = createGzipMaker(cache, log)
  const publish = createPublish({ cache, links, flights, log })
  const ready = links
    .open()
    .then(cache.open)
    .catch((cause: unknown) => {
      throw new InsufficientStorage(
        `The image cache cannot be used: ${messageOf(cause)}. Correct [pxe] instance_master_path and [deploy] http_root, or who owns them, and start the appliance again.`,
        { cause },
      )
    })
  // At once for the log, and again for every node that needs an image.
  ready.catch((error: unknown) => log.error('image cache cannot be used', { error }))

  async function expectedChecksum(
    { stated, image_source }: Pick<ImageOrder, 'stated' | 'image_source'>,
    { node_uuid, signal }: Pick<ImageRequest, 'node_uuid' | 'signal'>,
  ): Promise<Checksum | undefined> {
    if (stated === undefined || 'value' in stated) return stated
    const text = await upstream.text(stated.url, { method: 'GET', signal }, CHECKSUM_FILE_LIMIT_BYTES)
    return checksumFromFile(text, image_source, stated, { node_uuid, allow_md5: config.agent.allow_md5_checksum })
  }

  /** The same key is the same content: by its checksum when that is strong, else by where it comes from. */
  async function keyOf(order: ImageOrder, expected: Checksum | undefined): Promise<string> {
    const from = await (isStrong(expected) ? '' : fromWhere(order))
    return hashOf([expected?.algorithm, expected?.value, from, convert ? 'raw' : 'as it is'])
  }
  const fromWhere = ({ source, image_source, stated }: ImageOrder) =>
    source.kind === 'file' && stated === undefined
      ? fingerprintFile(source, config.conductor.file_url_allowed_paths)
      : image_source

  async function served(entry: Entry, node_uuid: string): Promise<ServedImage> {
    const { size_bytes, checksum, variants } = entry
    const format = entry.format === 'qcow2' ? 'qcow2' : 'raw'
    return { url: await newUrlOf(node_uuid), format, size_bytes, checksum, stream: isStream(format), variants }
  }
  const urlOf = (link: string, key = door?.keyOf(nodeOfLink(link)) ?? '') =>
    `${http_url()}/${subdir}/${key === '' ? '' : `${key}/`}${link}`
  const newUrlOf = async (link: string) => urlOf(link, await door?.giveKey(nodeOfLink(link)))
  async function entryOf(name: string): Promise<Entry | undefined> {
    await ready
    const key = await links.get(name)
    return key === undefined ? undefined : cache.find(key)
  }
  const isStream = (format: string) => format === 'raw' && config.agent.stream_raw_images
  const permitted = config.conductor.permitted_image_formats

  async function fetchFile(request: FileRequest): Promise<{ entry: Entry; name: string }> {
    await ready
    const order = readFileOrder(request, config)
    const { node_uuid, signal } = request
    try {
      const expected = await expectedChecksum({ stated: order.stated, image_source: order.href }, request)
      const key = hashOf(await identityOf(order, expected, { config, upstream, signal }))
      const { name = fileName(node_uuid, key) } = request
      const entry = await publish(key, request, {
        from: order.href,
        link: name,
        make: (folder, flight) => prepareFile(shop, { order, expected, folder, flight }),
      })
      return { entry, name }
    } catch (error) {
      throw inWordsOf(request.field, error)
    }
  }

  async function serveFile(request: FileRequest): Promise<ServedFile> {
    const { href, field, node_uuid } = request
    const { entry, name } = await fetchFile(request)
    const { key, size_bytes, checksum, detected: format } = entry
    const served = { href, field, format, size_bytes, checksum }
    const as = endOf(request, format)
    if (as === undefined) return { ...served, name, url: await newUrlOf(name) }
    const ended = fileName(node_uuid, key, as)
    await links.set(ended, key)
    return { ...served, name: ended, url: `${await newUrlOf(ended)}/${as}` }
  }

  /** undefined: it must be cached after all, as it is to be converted. */
  async function passThrough(order: ImageOrder, request: ImageRequest): Promise<ServedImage | undefined> {
    const { source, declared_format } = order
    if (source.kind !== 'http' || order.cached) return undefined
    const found = await lookUpstream(upstream, source.url, order.authorization, request.signal)
    checkFormat(found.format, declared_format, permitted, source.shown)
    if (!isRaw(found.format) && convert) return undefined
    const checksum = await expectedChecksum(order, request)
    await links.remove(request.node_uuid)
    const format = isRaw(found.format) ? 'raw' : 'qcow2'
    const { size_bytes } = found
    return { url: found.url.href, format, size_bytes, checksum, stream: isStream(format), variants: [] }
  }

  return {
    validate: (request) => void readImageOrder(request, config),

    async resolve(request) {
      await ready
      const order = readImageOrder(request, config)
      const handedOn = await passThrough(order, request)
      if (handedOn) return handedOn
      const expected = await expectedChecksum(order, request)
      const entry = await publish(await keyOf(order, expected), request, {
        from: order.image_source,
        make: (folder, flight) => prepareImage(shop, { order, expected, convert, folder, flight }),
        check: ({ detected }) => checkFormat(detected, order.declared_format, permitted, order.source.shown),
      })
      return served(entry, request.node_uuid)
    },

    async make(name, request, build, { bootable = false } = {}) {
      await ready
      const entry = await publish(hashOf(['made', name]), request, {
        from: 'here',
        make: (folder, flight) => makeImage(shop, { name, build, bootable, folder, flight }),
      })
      return served(entry, request.node_uuid)
    },

    validateFile: (request) => void readFileOrder(request, config),

    file: serveFile,

    async text(request) {
      const { entry } = await fetchFile(request)
      return readText(entry)
    },

    fetchText: (url, limit_bytes, signal) => upstream.text(url, { method: 'GET', signal }, limit_bytes),

    fileUrl: (name) => urlOf(name),

    floppyUrl: (name) => `${urlOf(name)}.floppy`,

    hasFile: async (name) => (await entryOf(name)) !== undefined,

    async bootImages(name) {
      const entry = await entryOf(name)
      if (!entry) throw new Error(`the image cache has no file ${name}`)
      await using file = await open(fileOf(entry.folder, 'identity'))
      return await bootImagesOf(file, entry.size_bytes)
    },

    async release(node_uuid, keep = []) {
      await ready
      await links.removeAll(node_uuid, keep)
      await cache.evict()
    },

    handle: createImageServer({ subdir, http_url, links, cache, gzip, log, ready, door, onBytes }),

    async close() {
      // Its failure has been told.
      await ready.catch(() => {})
      await flights.close()
      await gzip.close()
      await upstream.close()
    },
  }
}

const hashOf = (parts: readonly (string | undefined)[]) =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex')
