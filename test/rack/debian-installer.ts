/**
 * Kernel and ramdisk of Debian's own installer, out of the package of this box's release: files that nobody here made.
 * The package has 130 MB and needs no installation.
 */
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from './cache.ts'
import { run } from './run-program.ts'

export type DebianInstaller = { folder: string; kernel: string; ramdisk: string }

const DOWNLOAD_DEADLINE_S = 600

/** @throws Error  apt's or dpkg's last words */
export async function ensureDebianInstaller(signal: AbortSignal): Promise<DebianInstaller> {
  const release = /^VERSION_ID="?(\d+)/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1] ?? ''
  const folder = await cached('debian-installer', release, (work) => unpack(work, release, signal))
  return { folder, kernel: join(folder, 'linux'), ramdisk: join(folder, 'initrd.gz') }
}

async function unpack(work: string, release: string, signal: AbortSignal): Promise<void> {
  const root = join(work, 'root')
  await mkdir(root, { recursive: true })
  const name = `debian-installer-${release}-netboot-amd64`
  await run('apt-get', ['download', name], { cwd: work, signal, timeout_s: DOWNLOAD_DEADLINE_S })
  const file = (await readdir(work)).find((one) => one.endsWith('.deb')) ?? ''
  await run('dpkg-deb', ['--extract', join(work, file), root], { signal })
  const images = join(root, 'usr/lib/debian-installer/images', release, 'amd64/text/debian-installer/amd64')
  for (const part of ['linux', 'initrd.gz']) await rename(join(images, part), join(work, part))
  await rm(root, { recursive: true })
  await rm(join(work, file))
}
