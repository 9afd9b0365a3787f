/**
 * The config drive of a deploy: from its JSON to what agents take, base64 of a gzipped ISO 9660 volume. Looks no node
 * up.
 */

import { mkdir, mkdtempDisposable, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createGunzip, gzip } from 'node:zlib'
import { InvalidParameterValue, messageOf } from '../errors.ts'
import type { Json } from '../plugin-api/index.ts'
import { NotInstalled, runProgram } from './file/programs.ts'

/** Whose drive it is: what cloud-init needs to know, and takes from meta_data.json alone. */
export type Instance = { uuid: string; name: string | null }
export type ConfigDrive = { meta_data?: Json; user_data?: unknown; network_data?: Json; vendor_data?: Json }

const MIB = 1024 * 1024
/** @source ironic-python-agent partition_utils.MAX_CONFIG_DRIVE_SIZE_MB */
const LIMIT_BYTES = 64 * MIB
/** Of its text, looked at in one go; of its volume, enough for the first descriptor. */
const PIECE_CHARACTERS = 128 * 1024
const HEAD_BYTES = 64 * 1024
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
 * @param instance  its uuid and name go into meta_data.json, unless that has its own: without a uuid, cloud-init takes
 * nothing of a drive
 * @throws InvalidParameterValue  too large; ImageUnacceptable  genisoimage is missing, or failed
 */
export async function encodeConfigDrive(drive: ConfigDrive, instance: Instance, signal: AbortSignal): Promise<string> {
  const files = filesOf(drive, instance)
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

/**
 * @source Ironic configdrive_utils.build_configdrive: user_data that is JSON is written as JSON, what is empty is left
 * out; openstacksdk baremetal/configdrive.py: vendor_data becomes vendor_data2.json
 */
function filesOf({ meta_data, user_data, network_data, vendor_data }: ConfigDrive, instance: Instance) {
  const { uuid, name } = instance
  const files: Record<string, string> = {
    'meta_data.json': JSON.stringify({ uuid, ...(name ? { name } : {}), ...meta_data }),
  }
  if (!isEmpty(network_data)) files['network_data.json'] = JSON.stringify(network_data)
  if (!isEmpty(vendor_data)) files['vendor_data2.json'] = JSON.stringify(vendor_data)
  if (user_data !== undefined && user_data !== null && user_data !== '') {
    files.user_data = typeof user_data === 'string' ? user_data : JSON.stringify(user_data)
  }
  return files
}

const isEmpty = (data: Json | null | undefined) => Object.keys(data ?? {}).length === 0

async function makeVolume(root: string, volume: string, signal: AbortSignal): Promise<void> {
  const run = { nice: 0, timeout_s: TIMEOUT_S, signal, about: 'The config drive' }
  try {
    await writeFile(volume, '', { mode: 0o600 })
    await runProgram({
      file: 'genisoimage',
      args: [...OPTIONS, '-o', volume, root],
      reads: [root],
      writes: [volume],
      ...run,
    })
  } catch (error) {
    if (!(error instanceof NotInstalled)) throw error
    throw new NotInstalled(
      'The config drive cannot be made: genisoimage is not installed on the appliance. apt install genisoimage, or give the config drive as base64 of a gzipped ISO 9660 volume.',
      { cause: error },
    )
  }
}

const EXPECTED =
  'expected JSON (meta_data, user_data, network_data, vendor_data), base64 of a gzipped ISO 9660 volume, or an http(s) address of such a text'
const MAKE = 'Make it so: gzip -c drive.iso | base64 -w0.'

/**
 * A config drive that was made elsewhere: base64 of a gzipped ISO 9660 volume, or the address of such a text.
 * @throws InvalidParameterValue  what cannot be one, before a machine is started for it; repeats nothing of it, as it
 * holds secrets
 */
export async function checkConfigDrive(text: string): Promise<void> {
  if (/^https?:\/\//i.test(text)) {
    if (URL.canParse(text) && text.length <= 8192) return
    throw new InvalidParameterValue(
      'The config drive is not an address that can be used: expected http(s)://host/path.',
    )
  }
  await unpackConfigDrive(text, () => {})
}

/**
 * Piece by piece: nothing of it, 64 MiB perhaps, stands everybody else still, and none of its volume is kept.
 * @param text  base64 of a gzipped ISO 9660 volume
 * @param take  gets the volume, which may prove wrong in its last piece
 * @throws InvalidParameterValue  it is none
 */
export async function unpackConfigDrive(text: string, take: (piece: Buffer) => unknown): Promise<void> {
  if (text.length > TEXT_LIMIT_CHARACTERS) throw tooLarge(`it has ${text.length} characters`)
  const packed = await decoded(text)
  if (packed.length === 0) throw refused('is empty')
  const start = Buffer.concat(packed.slice(0, 2))
  if (isIso9660(start)) throw refused('is base64 of an ISO 9660 volume that is not gzipped', MAKE)
  if (start[0] !== 0x1f || start[1] !== 0x8b) throw refused('is base64 of something that is not gzipped', MAKE)
  let head = Buffer.alloc(0)
  for await (const piece of unpacked(packed)) {
    if (head.length < HEAD_BYTES) head = Buffer.concat([head, piece.subarray(0, HEAD_BYTES)])
    await take(piece)
  }
  if (!isIso9660(head)) throw refused('is base64 of a gzip of something that is no ISO 9660 volume', MAKE)
}

/** Pieces of at least 96 KiB, but for the last. @throws InvalidParameterValue */
async function decoded(text: string): Promise<Buffer[]> {
  const pieces: Buffer[] = []
  let rest = ''
  // The padding is the end, but for blanks.
  let hasEnded = false
  for (let at = 0; at < text.length; at += PIECE_CHARACTERS) {
    const bare = rest + text.slice(at, at + PIECE_CHARACTERS).replace(/\s+/g, '')
    const isLast = at + PIECE_CHARACTERS >= text.length
    const whole = isLast ? bare.length : bare.length - (bare.length % 4)
    rest = bare.slice(whole)
    const isBase64 = /^[A-Za-z0-9+/]*={0,2}$/.test(bare) && whole % 4 === 0 && !(hasEnded && bare !== '')
    hasEnded ||= bare.slice(0, whole).endsWith('=')
    if (!isBase64) throw refused('is neither an address nor base64')
    if (whole > 0) pieces.push(Buffer.from(bare.slice(0, whole), 'base64'))
    await pause()
  }
  return pieces
}

/** Off the event loop, with a limit: a stranger may have packed it. */
async function* unpacked(packed: readonly Buffer[]): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: HEAD_BYTES })
  // What it says of its end is said to who reads it.
  const fed = pipeline(Readable.from(packed), gunzip).catch(() => {})
  let bytes = 0
  try {
    for await (const piece of gunzip as AsyncIterable<Buffer>) {
      bytes += piece.length
      if (bytes > LIMIT_BYTES) throw tooLarge('its volume is larger')
      yield piece
    }
  } catch (error) {
    if (error instanceof InvalidParameterValue) throw error
    throw new InvalidParameterValue(`The config drive cannot be unpacked: ${messageOf(error)}. ${MAKE}`, {
      cause: error,
    })
  } finally {
    gunzip.destroy()
    await fed
  }
}

const refused = (found: string, next = '') =>
  new InvalidParameterValue(`The config drive ${found}: ${EXPECTED}.${next && ` ${next}`}`)

/** Its first volume descriptor. @source ECMA-119 8.1 */
const isIso9660 = (bytes: Buffer) => bytes.toString('latin1', 0x8001, 0x8006) === 'CD001'
