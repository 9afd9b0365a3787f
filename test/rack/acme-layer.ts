/** The layer of plugins/custom-agent/README.md, and a machine that writes its disk by it. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CHECKOUT } from './cache.ts'
import { blockOf } from './markdown-block.ts'
import { ensureRamdisk, type Ramdisk } from './ramdisk.ts'
import { run } from './run-program.ts'

const README = join(CHECKOUT, 'plugins/custom-agent/README.md')

/**
 * @param folder  of the caller's; the layer and the image as the layer wants it are made in it
 * @returns the ramdisk with the layer `acme` in it, and the file that the layer's step is to fetch
 */
export async function prepareAcme(
  folder: string,
  image: { path: string },
  signal: AbortSignal,
): Promise<{ ramdisk: Ramdisk; file: string }> {
  const layer = join(folder, 'layers/acme')
  await mkdir(join(layer, 'steps'), { recursive: true })
  await writeFile(join(layer, 'layer.json'), '{}')
  await writeFile(join(layer, 'steps/index.ts'), blockOf(await readFile(README, 'utf8'), 'ts'))
  const file = join(folder, 'image.raw.gz')
  await run('sh', ['-ec', 'gzip -1 <"$1" >"$2"', 'gzip', image.path, file], { signal })
  return { ramdisk: await ensureRamdisk(signal, { plugins: [folder] }), file }
}

/** A node that writes what `url` gives it by a step of this layer. */
export const nodeWith = (layer: string, url: string) => ({
  deploy_interface: 'custom-agent',
  driver_info: [`ramdisk_layers=${layer}`],
  instance_info: [`acme_image=${url}`],
})
