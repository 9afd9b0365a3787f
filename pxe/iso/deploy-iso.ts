/**
 * The deploy ramdisk as an ISO that firmware boots, BIOS and UEFI: for machines that get it as virtual media. One file
 * for all machines with the same kernel and layers; what is of one machine alone is laid over it while it is sent.
 */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { unlessMissing } from '@appliance/ground/errno'
import { isObject } from '@appliance/ground/json'
import { checkRamdisk } from '../check-ramdisk.ts'
import { type PxeConfig, PxeError } from '../config.ts'
import { type KernelParameter, parseKernelParameters } from '../kernel-parameters.ts'
import type { MachineBoot } from '../machine-boot.ts'
import { packMachineFiles } from '../machine-files.ts'
import { isLeftOut } from '../own-layers.ts'
import type { RamdiskFiles } from '../ramdisk-files.ts'
import { grubConfig } from './grub-config.ts'
import { forgetOldest } from './kept.ts'
import { makeIso, type Places } from './make-iso.ts'

/** Bytes that stand in the place of the file's own. */
export type Overlay = { at: number; bytes: Uint8Array }
export type DeployIso = {
  path: string
  size_bytes: number
  overlays: readonly Overlay[]
  /** Of all its bytes: another one whenever one of them is. */
  etag: string
}
type AgentBoot = Extract<MachineBoot, { kind: 'agent' }>
type IsoConfig = Pick<PxeConfig, 'ramdisk_path' | 'state_path'>

/** For the kernel's command line and names of files; blanks fill it up. */
const CONFIG_BYTES = 16 * 1024
/** As many as packMachineFiles makes at most; an archive may end in zeros. */
const FILES_BYTES = 512 * 1024

export type DeployIsos = {
  /** @throws PxeError  in a sentence: what is wrong with the ramdisk, or which program is missing */
  of(boot: AgentBoot): Promise<DeployIso>
}

export function createDeployIsos(config: IsoConfig): DeployIsos {
  /** By digest: whoever asks for what is being made waits for that. */
  const making = new Map<string, Promise<Places>>()
  const folder = join(config.state_path, 'deploy-iso')

  async function coreOf(digest: string, files: readonly string[]): Promise<Places> {
    const kept = await readPlaces(join(folder, `${digest}.json`))
    if (kept) return kept
    const made = making.get(digest) ?? make(folder, digest, files).finally(() => making.delete(digest))
    making.set(digest, made)
    return made
  }

  return {
    async of(boot) {
      const { ramdisk_path } = config
      const ramdisk = await checkRamdisk(ramdisk_path, boot)
      const names = [ramdisk.kernel, ...ramdisk.core, ...layersOf(boot.layers, ramdisk)]
      const files = names.map((name) => join(ramdisk_path, name))
      const digest = await digestOf(files)
      const places = await coreOf(digest, files)
      const path = join(folder, `${digest}.iso`)
      const now = new Date()
      await utimes(path, now, now)
      const overlays = await overlaysOf(boot, { ramdisk, places, ramdisks: names.length - 1 })
      const hash = createHash('sha256').update(digest)
      for (const { bytes } of overlays) hash.update(bytes)
      const { size } = await stat(path)
      return { path, size_bytes: size, overlays, etag: `"${hash.digest('hex').slice(0, 32)}"` }
    },
  }
}

const layersOf = (wanted: readonly string[], files: RamdiskFiles) =>
  files.takes_layers ? wanted.filter((name) => !isLeftOut(files, name)).map((name) => files.layers[name] as string) : []

/** Names alone tell nothing of a ramdisk of others. */
async function digestOf(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(`1 ${CONFIG_BYTES} ${FILES_BYTES}`)
  for (const file of files) {
    const { size, mtimeMs } = await stat(file)
    hash.update(`\n${file} ${size} ${mtimeMs}`)
  }
  return hash.digest('hex').slice(0, 16)
}

async function make(folder: string, digest: string, files: readonly string[]): Promise<Places> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await forgetOldest(folder)
  const work = await mkdtemp(join(folder, 'making-'))
  try {
    const iso = join(work, 'iso')
    const places = await makeIso({ work, iso, files, config_bytes: CONFIG_BYTES, files_bytes: FILES_BYTES })
    await rename(iso, join(folder, `${digest}.iso`))
    // Written last: an ISO counts when its places are known.
    await writeFile(join(work, 'places'), JSON.stringify(places))
    await rename(join(work, 'places'), join(folder, `${digest}.json`))
    return places
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function readPlaces(file: string): Promise<Places | undefined> {
  const text = await readFile(file, 'utf8').catch(unlessMissing)
  if (text === undefined) return undefined
  const found: unknown = JSON.parse(text)
  if (isObject(found) && typeof found.config_at === 'number' && typeof found.files_at === 'number') {
    return { config_at: found.config_at, files_at: found.files_at }
  }
  return undefined
}

async function overlaysOf(
  boot: AgentBoot,
  { ramdisk, places, ramdisks }: { ramdisk: RamdiskFiles; places: Places; ramdisks: number },
): Promise<Overlay[]> {
  const parameters: KernelParameter[] = [...parseKernelParameters(ramdisk.kernel_params), ...boot.parameters]
  const own = boot.files?.length ? await packMachineFiles(boot.files) : undefined
  const text = grubConfig({ parameters, ramdisks, hasFiles: own !== undefined })
  const config = filled(Buffer.from(text), CONFIG_BYTES, '\n')
  const overlay = { at: places.config_at, bytes: config }
  return own ? [overlay, { at: places.files_at, bytes: filled(own, FILES_BYTES, '\0') }] : [overlay]
}

function filled(bytes: Buffer, size_bytes: number, filling: string): Buffer {
  if (bytes.length > size_bytes) {
    throw new PxeError(`What is of one machine alone has ${bytes.length} bytes: its ISO has room for ${size_bytes}.`)
  }
  const whole = Buffer.alloc(size_bytes, filling)
  bytes.copy(whole)
  return whole
}
