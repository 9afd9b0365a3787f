/**
 * Writes archives that the kernel unpacks as initial ramdisk: cpio "newc", compressed as one zstd frame. Same input,
 * same bytes.
 */
import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'

export type Entry = {
  path: string
} /** `mode`: permission bits; 0755 and 0644, or 0755 when executable, when left out. */ & (
  | { kind: 'folder'; mode?: number }
  | { kind: 'file'; content: Buffer; executable?: boolean; mode?: number }
  | { kind: 'link'; target: string }
  | { kind: 'device'; major: number; minor: number }
)

const MODES = { folder: 0o040755, file: 0o100644, link: 0o120777, device: 0o020600 }
const TYPE_BITS = 0o170000
const EXECUTABLE = 0o111
const TRAILER = 'TRAILER!!!'
const padding = (size: number) => Buffer.alloc((4 - (size % 4)) % 4)

/**
 * Everything belongs to root, and nothing has a time.
 * @source Documentation/driver-api/early-userspace/buffer-format.rst
 */
export function packCpio(entries: readonly Entry[]): Buffer {
  const parts = withFolders(entries).flatMap((entry, index) => pack(entry, index + 1))
  return Buffer.concat([...parts, ...pack({ path: TRAILER, kind: 'file', content: Buffer.alloc(0) }, 0)])
}

/** The kernel makes no folder by itself: each is named before what is in it. */
function withFolders(entries: readonly Entry[]): Entry[] {
  const known = new Map<string, Entry>()
  for (const entry of entries) {
    const names = entry.path.split('/')
    for (let depth = 1; depth < names.length; depth++) {
      const path = names.slice(0, depth).join('/')
      if (!known.has(path)) known.set(path, { path, kind: 'folder' })
    }
    if (!known.has(entry.path)) known.set(entry.path, entry)
  }
  return [...known.values()]
}

function pack(entry: Entry, inode: number): Buffer[] {
  const content = entry.kind === 'file' ? entry.content : Buffer.from(entry.kind === 'link' ? entry.target : '', 'utf8')
  const name = Buffer.from(`${entry.path}\0`, 'utf8')
  const mode = entry.path === TRAILER ? 0 : modeOf(entry)
  const [major, minor] = entry.kind === 'device' ? [entry.major, entry.minor] : [0, 0]
  // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, major, minor, name.length, 0]
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`)
  return [header, name, padding(header.length + name.length), content, padding(content.length)]
}

function modeOf(entry: Entry): number {
  const standard = MODES[entry.kind]
  if ('mode' in entry && entry.mode !== undefined) return (standard & TYPE_BITS) | entry.mode
  return entry.kind === 'file' && entry.executable ? standard | EXECUTABLE : standard
}

const compress = promisify(zstdCompress)

/** Level 9: nearly as small as 19, in seconds. Its window of 4 MiB is within the kernel's 8 MiB. */
export async function compressArchive(archive: Buffer): Promise<Buffer> {
  return compress(archive, { params: { [constants.ZSTD_c_compressionLevel]: 9 } })
}
