/** The image cache with a folder of its own, a log to read, and a server on loopback that machines would ask. */
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NO_RESERVE, type Reserve } from '@appliance/ground/reserve'
import type { Config } from '../../../appliance/config/options.ts'
import { readConfig, readConfigFile } from '../../../appliance/config/read.ts'
import { createImages } from '../../../appliance/images/create-images.ts'
import type { ImageRequest, Images } from '../../../appliance/images/images.ts'
import { createLog } from '../../../appliance/log.ts'
import type { Json } from '../../../appliance/plugin-api/index.ts'
import { LOOPBACK } from '../loopback-reach.ts'

export const NODE = 'aaaaaaaa-0000-4000-8000-000000000001'
export const OTHER_NODE = 'aaaaaaaa-0000-4000-8000-000000000002'
const DEADLINE_MS = 20_000

type LogLine = { level: string; message: string; [field: string]: unknown }
export type ImagesInFolder = AsyncDisposable & {
  images: Images
  /** Allowed for file:// images. */
  folder: string
  cache: string
  links: string
  url: string
  lines: LogLine[]
  /** Asks for the node's image as an agent would. */
  request(instance_info: Json, more?: Partial<ImageRequest>): ImageRequest
  /** Another appliance on the same folders, as after a restart. */
  restart(): Promise<void>
}

export function temporaryFolder(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), 'images-')))
}

export function configOf(state_path: string, ini = ''): Config {
  const own = `state_path = ${state_path}\nreachable_networks = ${LOOPBACK.join(',')}\n`
  // Agents on paper read no boot script, which has the number.
  const text = `[api]\ncheck_boot_number = False\n[conductor]\nfile_url_allowed_paths = ${state_path}/store\n[DEFAULT]\n${own}${ini}\n`
  return readConfig(readConfigFile('rackstrap.conf', text), { host: 'box', my_ip: () => '127.0.0.1' })
}

export type Options = {
  /** Further lines, beginning with the section. */
  ini?: string
  /** Where the cache lies; a folder of its own when left out. */
  state_path?: string
  /** What images leave of the disk. */
  reserve?: Reserve
  /** Addresses of nodes' BMCs. */
  bmcs?: readonly string[]
}

export async function openImages({
  ini,
  state_path = temporaryFolder(),
  bmcs = [],
  reserve = NO_RESERVE,
}: Options = {}): Promise<ImagesInFolder> {
  const config = configOf(state_path, ini)
  const lines: LogLine[] = []
  const log = createLog('debug', (line) => lines.push(JSON.parse(line)))
  mkdirSync(join(state_path, 'store'), { recursive: true })
  let images: Images
  const server = createServer((request, response) => {
    void images.handle(request, response).then((mine) => {
      if (!mine) response.writeHead(404).end('not an image')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const open = () => createImages({ config, log, http_url: () => url, bmcAddresses: () => bmcs, reserve })
  images = open()
  return {
    get images() {
      return images
    },
    folder: join(state_path, 'store'),
    cache: config.pxe.instance_master_path,
    links: join(config.deploy.http_root, config.deploy.http_image_subdir),
    url,
    lines,
    request: (instance_info, more = {}) => ({
      node_uuid: NODE,
      instance_info,
      driver_info: {},
      signal: AbortSignal.timeout(DEADLINE_MS),
      progress: () => {},
      ...more,
    }),
    async restart() {
      await images.close()
      images = open()
    },
    async [Symbol.asyncDispose]() {
      await images.close()
      server.closeAllConnections()
      server.close()
      rmSync(state_path, { recursive: true, force: true })
    },
  }
}

/** Plainly: fetch itself would ask for gzip, and the cache would begin to make it. */
export const fetchPlain = (url: string) => fetch(url, { headers: { 'accept-encoding': 'identity' } })

const MIB = 1024 * 1024

/** A disk of 4 MiB with a boot sector, some text and some noise; the rest is zeros. */
export function diskContent(size_bytes = 4 * MIB): Buffer {
  const disk = Buffer.alloc(size_bytes)
  disk.writeUInt16LE(0xaa55, 510)
  disk.fill('operating system ', 64 * 1024, 512 * 1024)
  randomBytes(100_000).copy(disk, MIB)
  return disk
}

export const digest = (content: Buffer, algorithm = 'sha256') => createHash(algorithm).update(content).digest('hex')

/** The content as a raw file, and as a qcow2 one made of it by the real qemu-img. */
export function writeQcow2(folder: string, content: Buffer, ...options: string[]): { raw: string; qcow2: string } {
  const [raw, qcow2] = [join(folder, 'source.raw'), join(folder, 'source.qcow2')]
  writeFileSync(raw, content)
  execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', ...options, raw, qcow2])
  return { raw, qcow2 }
}
