/** The deploy ramdisk for virtual machines, built once for each state of its sources. The building is pxe/ramdisk's affair. */
import { createHash } from 'node:crypto'
import { globSync, readFileSync, statSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CHECKOUT, cached, cacheFolder } from './cache.ts'
import { run } from './run-program.ts'

export type Ramdisk = {
  folder: string
  /** All that a machine fetches: kernel and core. */
  bytes: number
}

const LAYERS = 'plugins/*/layers/*'
/** A layer's steps may import files of their plugin. */
const SOURCES = ['pxe/ramdisk/**/*', 'pxe/agent-api.ts', `${LAYERS}/**/*`, 'plugins/*/*.ts']
const BUILD_DEADLINE_S = 1800

/** With the layers of all plugins here. @throws Error  the builder's last words */
export async function ensureRamdisk(signal: AbortSignal): Promise<Ramdisk> {
  const folder = await cached('ramdisk', sourcesDigest(), async (output) => {
    const cache = join(cacheFolder(), 'ramdisk-pieces')
    const layers = globSync(`${LAYERS}/layer.json`, { cwd: CHECKOUT }).flatMap((file) => [
      '--layer',
      join(CHECKOUT, dirname(file)),
    ])
    const args = ['ramdisk', 'build', '--output', output, '--cache', cache, '--flavour', 'virtual', ...layers]
    await run(join(CHECKOUT, 'appliance/rackstrap'), args, { signal, timeout_s: BUILD_DEADLINE_S, cwd: CHECKOUT })
  })
  const { kernel, core } = JSON.parse(await readFile(join(folder, 'ramdisk.json'), 'utf8'))
  let bytes = 0
  for (const file of [kernel, ...core]) bytes += (await stat(join(folder, file))).size
  return { folder, bytes }
}

function sourcesDigest(): string {
  const hash = createHash('sha256').update(process.version)
  for (const file of globSync(SOURCES, { cwd: CHECKOUT }).sort()) {
    const path = join(CHECKOUT, file)
    if (statSync(path).isFile()) hash.update(`${file}\0`).update(readFileSync(path))
  }
  return hash.digest('hex').slice(0, 12)
}
