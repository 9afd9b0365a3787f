/**
 * The rack's container with one more layer of bytes that nothing compresses: how large images behave. Built once per
 * recipe and size.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { cached } from '../cache.ts'
import type { BootcImage } from './build.ts'
import { addLayer } from './oci-layout.ts'

const MIB = 1024 * 1024
/** As in a real image, no file is the whole of a layer. */
const FILE_MIB = 16
const FOLDER = 'usr/share/pad'

/** @returns folder of the OCI layout. */
export async function ensurePadded({ layouts }: BootcImage, pad_mib: number): Promise<string> {
  const recipe = `${basename(dirname(layouts[1]))} ${pad_mib} ${FILE_MIB}`
  const digest = createHash('sha256').update(recipe).digest('hex').slice(0, 12)
  const folder = await cached('bootc-padded', digest, async (work) => {
    const tree = join(work, 'tree')
    await mkdir(join(tree, FOLDER), { recursive: true })
    for (let mib = 0; mib < pad_mib; mib += FILE_MIB) await writeRandom(join(tree, FOLDER, String(mib)))
    await addLayer(layouts[1], join(work, '1'), tree)
    await rm(tree, { recursive: true })
  })
  return join(folder, '1')
}

async function writeRandom(path: string): Promise<void> {
  await using file = await open(path, 'w')
  for (let mib = 0; mib < FILE_MIB; mib++) await file.write(randomBytes(MIB))
}
