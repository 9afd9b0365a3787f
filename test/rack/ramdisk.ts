/** The deploy ramdisk for virtual machines, built once for each state of its sources. The building is pxe/ramdisk's affair. */
import { createHash } from 'node:crypto'
import { globSync, readFileSync, statSync } from 'node:fs'
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CHECKOUT, cacheFolder } from './cache.ts'
import { run } from './run-program.ts'

export type Ramdisk = {
  folder: string
  /** All that a machine fetches: kernel and core. */
  bytes: number
}

const SOURCES = 'pxe/ramdisk/**/*'
const BUILD_DEADLINE_S = 1800

/** @throws Error  the builder's last words */
export async function ensureRamdisk(signal: AbortSignal): Promise<Ramdisk> {
  const folder = join(cacheFolder(), `ramdisk-${sourcesDigest()}`)
  if (!(await exists(folder))) await build(folder, signal)
  const { kernel, core } = JSON.parse(await readFile(join(folder, 'ramdisk.json'), 'utf8'))
  let bytes = 0
  for (const file of [kernel, ...core]) bytes += (await stat(join(folder, file))).size
  return { folder, bytes }
}

/** Appears whole or not at all; another run may build the same at the same time. */
async function build(folder: string, signal: AbortSignal): Promise<void> {
  const work = `${folder}.${process.pid}`
  await mkdir(cacheFolder(), { recursive: true })
  const args = [join(CHECKOUT, 'pxe/ramdisk/build.ts'), '--output', work, '--flavour', 'virtual']
  try {
    await run(process.execPath, args, { signal, timeout_s: BUILD_DEADLINE_S, cwd: CHECKOUT })
    await rename(work, folder)
  } catch (error) {
    if (!(await exists(folder))) throw error
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

function sourcesDigest(): string {
  const hash = createHash('sha256').update(process.version)
  for (const file of globSync(SOURCES, { cwd: CHECKOUT }).sort()) {
    const path = join(CHECKOUT, file)
    if (statSync(path).isFile()) hash.update(`${file}\0`).update(readFileSync(path))
  }
  return hash.digest('hex').slice(0, 12)
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
