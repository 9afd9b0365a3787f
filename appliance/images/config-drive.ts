/** The config drive of a deploy: from its JSON to what agents take, base64 of a gzipped ISO 9660 volume. Knows no node. */
import { mkdir, mkdtempDisposable, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { InvalidParameterValue } from '../errors.ts'
import type { Json } from '../plugin-api/index.ts'
import { NotInstalled, runProgram } from './format/programs.ts'

export type ConfigDrive = { meta_data?: Json; user_data?: unknown; network_data?: Json; vendor_data?: Json }

const MIB = 1024 * 1024
/** @source ironic-python-agent partition_utils.MAX_CONFIG_DRIVE_SIZE_MB */
const LIMIT_BYTES = 64 * MIB
const TEXT_LIMIT_CHARACTERS = Math.ceil(LIMIT_BYTES / 3) * 4 + MIB
/** @source openstacksdk baremetal/configdrive.py: who reads the drive looks into either */
const VERSIONS = ['2012-08-10', 'latest']
/** Joliet and Rock Ridge, so that cloud-init sees the names as they are. */
const OPTIONS = ['-quiet', '-ldots', '-allow-lowercase', '-allow-multidot', '-l', '-J', '-r', '-V', 'config-2']
const TIMEOUT_S = 60

const tooLarge = (what: string) =>
  new InvalidParameterValue(
    `The config drive is too large: ${what}, the most is ${LIMIT_BYTES / MIB} MiB. Put less into it.`,
  )

/**
 * @param drive  user_data: a text, or JSON that is written as such
 * @throws InvalidParameterValue  too large; ImageUnacceptable  genisoimage is missing, or failed
 */
export async function encodeConfigDrive(drive: ConfigDrive, signal: AbortSignal): Promise<string> {
  const files = filesOf(drive)
  const bytes = Object.values(files).reduce((sum, content) => sum + Buffer.byteLength(content), 0) * VERSIONS.length
  if (bytes > LIMIT_BYTES) throw tooLarge(`its files have ${bytes} bytes`)
  await using folder = await mkdtempDisposable(join(tmpdir(), 'config-drive-'))
  const root = join(folder.path, 'root')
  for (const version of VERSIONS) {
    const place = join(root, 'openstack', version)
    await mkdir(place, { recursive: true })
    for (const [name, content] of Object.entries(files)) await writeFile(join(place, name), content, { mode: 0o600 })
  }
  const volume = join(folder.path, 'volume.iso')
  await makeVolume(root, volume, signal)
  const { size } = await stat(volume)
  if (size > LIMIT_BYTES) throw tooLarge(`its volume has ${size} bytes`)
  return (await promisify(gzip)(await readFile(volume))).toString('base64')
}

/** @source Ironic configdrive_utils.build_configdrive: user_data that is JSON is written as JSON */
function filesOf({ meta_data, user_data, network_data, vendor_data }: ConfigDrive): Record<string, string> {
  const files: Record<string, string> = { 'meta_data.json': JSON.stringify(meta_data ?? {}) }
  if (network_data !== undefined) files['network_data.json'] = JSON.stringify(network_data)
  if (vendor_data !== undefined) files['vendor_data.json'] = JSON.stringify(vendor_data)
  if (user_data !== undefined && user_data !== null && user_data !== '') {
    files.user_data = typeof user_data === 'string' ? user_data : JSON.stringify(user_data)
  }
  return files
}

async function makeVolume(root: string, volume: string, signal: AbortSignal): Promise<void> {
  const run = { nice: 0, timeout_s: TIMEOUT_S, signal, about: 'The config drive' }
  try {
    await runProgram({ file: 'genisoimage', args: [...OPTIONS, '-o', volume, root], ...run })
  } catch (error) {
    if (!(error instanceof NotInstalled)) throw error
    throw new NotInstalled(
      'The config drive cannot be made: genisoimage is not installed on the appliance. apt install genisoimage, or give the config drive as base64 of a gzipped ISO 9660 volume.',
      { cause: error },
    )
  }
}

/**
 * A config drive that was made elsewhere: base64 of a gzip file, or the address of such a text.
 * @throws InvalidParameterValue  what cannot be one, before a machine is started for it
 */
export function checkConfigDrive(text: string): void {
  if (/^https?:\/\//i.test(text)) {
    if (URL.canParse(text) && text.length <= 8192) return
    throw new InvalidParameterValue(
      'The config drive is not an address that can be used: expected http(s)://host/path.',
    )
  }
  if (text.length > TEXT_LIMIT_CHARACTERS) throw tooLarge(`it has ${text.length} characters`)
  const bare = text.replace(/\s+/g, '')
  const head = Buffer.from(bare.slice(0, 4), 'base64')
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(bare) && bare.length % 4 === 0 && head[0] === 0x1f && head[1] === 0x8b) return
  throw new InvalidParameterValue(
    'The config drive is not one: expected JSON (meta_data, user_data, network_data, vendor_data), base64 of a gzipped ISO 9660 volume, or an http(s) address of such a text.',
  )
}
