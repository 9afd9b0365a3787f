/**
 * The deploy ramdisk for virtual machines, built once for each state of its sources. The building is pxe/ramdisk's
 * affair.
 */
import { createHash } from 'node:crypto'
import { globSync, readFileSync, statSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CHECKOUT, cached, cacheFolder, type Tell } from './cache.ts'
import { run } from './run-program.ts'

export type Ramdisk = {
  folder: string
  /** All that a machine fetches: kernel and core. */
  bytes: number
}

const LAYERS = 'plugins/*/layers/*'
/** A layer's steps may import files of their plugin. */
const SOURCES = ['pxe/ramdisk/**/*', 'pxe/agent-api.ts', 'pxe/own-layers.ts', `${LAYERS}/**/*`, 'plugins/*/*.ts']
const BUILD_DEADLINE_S = 1800

/**
 * With the layers of all plugins here.
 * @param o.plugins  folders of further plugins, whose layers come with it
 * @throws Error  the builder's last words
 */
export async function ensureRamdisk(
  signal: AbortSignal,
  { tell, plugins = [] }: { tell?: Tell; plugins?: readonly string[] } = {},
): Promise<Ramdisk> {
  const folder = await cached('ramdisk', sourcesDigest(plugins), async (output) => {
    const cache = join(cacheFolder(), 'ramdisk-pieces')
    const own = globSync(`${LAYERS}/layer.json`, { cwd: CHECKOUT }).map((file) => join(CHECKOUT, file))
    const brought = plugins.flatMap((plugin) =>
      globSync('layers/*/layer.json', { cwd: plugin }).map((file) => join(plugin, file)),
    )
    const layers = [...own, ...brought].flatMap((file) => ['--layer', dirname(file)])
    const args = ['ramdisk', 'build', '--output', output, '--cache', cache, '--flavour', 'virtual', ...layers]
    const options = { signal, timeout_s: BUILD_DEADLINE_S, cwd: CHECKOUT, onOutput: lastMessage(tell) }
    await run(join(CHECKOUT, 'appliance/rackstrap'), args, options)
  })
  const { kernel, core } = JSON.parse(await readFile(join(folder, 'ramdisk.json'), 'utf8'))
  let bytes = 0
  for (const file of [kernel, ...core]) bytes += (await stat(join(folder, file))).size
  return { folder, bytes }
}

/** The builder's lines are a message and its fields as JSON. */
function lastMessage(tell: Tell | undefined): (text: string) => void {
  return (text) => {
    const message = text.trim().split('\n').at(-1)?.split(' {')[0]
    if (message) tell?.(message)
  }
}

function sourcesDigest(plugins: readonly string[]): string {
  const hash = createHash('sha256').update(process.version)
  const add = (folder: string, patterns: readonly string[]) => {
    for (const file of globSync(patterns, { cwd: folder }).sort()) {
      const path = join(folder, file)
      if (statSync(path).isFile()) hash.update(`${file}\0`).update(readFileSync(path))
    }
  }
  add(CHECKOUT, SOURCES)
  for (const plugin of plugins) add(plugin, ['*.ts', 'layers/**/*'])
  return hash.digest('hex').slice(0, 12)
}
