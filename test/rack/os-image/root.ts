/**
 * The image's root folder: Debian packages by mmdebstrap, our few files over it, and an initial ramdisk of one shell
 * script.
 */
import { chmod, copyFile, cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runMmdebstrap } from '../../../pxe/ramdisk/mmdebstrap.ts'
import type { Tell } from '../cache.ts'
import { run } from '../run-program.ts'
import { debianArchive } from './archive.ts'
import { BOOT_MODULES, ENABLED_UNITS, MASKED_UNITS, PACKAGES, ROOT_LABEL, SUITE } from './recipe.ts'

const MMDEBSTRAP_DEADLINE_MS = 1200_000

/** What another image has in its own way. */
export type RootRecipe = { packages: readonly string[]; initrdInit: string }
const OWN_RECIPE = { packages: PACKAGES, initrdInit: join(import.meta.dirname, 'initrd-init') }

export async function buildRoot(
  root: string,
  signal: AbortSignal,
  { recipe = OWN_RECIPE, tell }: { recipe?: RootRecipe; tell?: Tell | undefined } = {},
): Promise<void> {
  const archive = await debianArchive(signal)
  const options = [
    '--mode=root',
    '--variant=minbase',
    '--components=main',
    '--aptopt=Acquire::Languages "none"',
    '--dpkgopt=path-exclude=/usr/share/man/*',
    `--include=${recipe.packages.join(',')}`,
  ]
  const temporary = `${root}.tmp`
  const limits = { temporary, timeout_ms: MMDEBSTRAP_DEADLINE_MS, signal, tell }
  await runMmdebstrap([...options, SUITE, root, archive], limits)
  await cp(join(import.meta.dirname, 'overlay'), root, { recursive: true })
  await configure(root)
  await buildInitrd(root, recipe.initrdInit, signal)
}

async function configure(root: string): Promise<void> {
  const etc = join(root, 'etc')
  await writeFile(join(etc, 'fstab'), `LABEL=${ROOT_LABEL} / ext4 rw,noatime,discard 0 0\n`)
  await writeFile(join(etc, 'hostname'), 'rack-machine\n')
  await writeFile(join(etc, 'machine-id'), '')
  await rm(join(etc, 'resolv.conf'), { force: true })
  await writeFile(join(etc, 'resolv.conf'), 'nameserver 172.22.0.1\n')
  // Tells systemd that nothing under /usr is newer than what was made from it.
  for (const place of ['etc', 'var']) await writeFile(join(root, place, '.updated'), '')
  const units = join(etc, 'systemd/system')
  for (const unit of MASKED_UNITS) {
    await rm(join(units, unit), { force: true })
    await symlink('/dev/null', join(units, unit))
  }
  for (const [wants, wanted] of Object.entries(ENABLED_UNITS)) {
    await mkdir(join(units, wants), { recursive: true })
    for (const unit of wanted) await enable(root, join(units, wants), unit)
  }
  const shadow = await readFile(join(etc, 'shadow'), 'utf8')
  await writeFile(join(etc, 'shadow'), shadow.replace(/^root:[^:]*:/m, 'root::'))
}

/** Relative links: an absolute one would be followed on the box that builds. */
async function enable(root: string, folder: string, unit: string): Promise<void> {
  const template = unit.replace(/@[^.]*\./, '@.')
  const own = await readdir(join(root, 'etc/systemd/system')).then((names) => names.includes(template))
  const target = own ? `../${template}` : `../../../../usr/lib/systemd/system/${template}`
  await rm(join(folder, unit), { force: true })
  await symlink(target, join(folder, unit))
}

async function buildInitrd(root: string, init: string, signal: AbortSignal): Promise<void> {
  const tree = `${root}.initrd`
  const modules = join(tree, 'modules')
  for (const folder of ['bin', 'dev', 'proc', 'sys', 'root', 'modules']) {
    await mkdir(join(tree, folder), { recursive: true })
  }
  await copyFile(join(root, 'usr/bin/busybox'), join(tree, 'bin/busybox'))
  for (const applet of ['sh', 'mount', 'insmod', 'findfs', 'sleep', 'blkid', 'switch_root']) {
    await symlink('busybox', join(tree, 'bin', applet))
  }
  await copyFile(init, join(tree, 'init'))
  await chmod(join(tree, 'init'), 0o755)
  for (const [index, name] of BOOT_MODULES.entries()) {
    const [found] = (await run('find', [join(root, 'usr/lib/modules'), '-name', `${name}.ko.xz`])).split('\n')
    if (!found) throw new Error(`the kernel of ${SUITE} has no module ${name}`)
    const compressed = join(modules, `${index}-${name}.ko.xz`)
    await copyFile(found, compressed)
    await run('xz', ['-d', compressed], { signal })
  }
  const pack = 'find . | cpio --quiet -o -H newc | zstd -q -9 -o "$1"'
  await run('sh', ['-ec', pack, 'pack', join(root, 'boot/initrd-rack')], { cwd: tree, signal })
  await rm(tree, { recursive: true })
}
