/**
 * The config drive's content from what Ironic sends: base64 of a gzipped ISO 9660 volume, or an address of such a
 * text.
 */
import { gunzipSync } from 'node:zlib'
import { AgentError, messageOf } from '../errors.ts'
import { type Fetching, fetchWhole } from '../protocol/fetch-whole.ts'
import { shownUrl } from '../protocol/http.ts'

const MIB = 1024 * 1024
/** @source ironic-python-agent partition_utils.MAX_CONFIG_DRIVE_SIZE_MB */
export const CONFIG_DRIVE_LIMIT_BYTES = 64 * MIB
/** base64 of as much that does not compress. */
const TEXT_LIMIT_BYTES = Math.ceil(CONFIG_DRIVE_LIMIT_BYTES / 3) * 4 + MIB

/** @throws AgentError DeploymentError  not reachable, not decodable, larger than 64 MiB */
export async function decodeConfigDrive(configdrive: string, fetching: Fetching): Promise<Buffer> {
  const url = /^https?:\/\//i.test(configdrive) ? configdrive : undefined
  const given = url ? await fetchConfigDrive(url, fetching) : Buffer.from(configdrive, 'latin1')
  const source = url ? `. Downloaded from "${shownUrl(url)}"` : ''
  const content = unpack(fromBase64(given) ?? given, source)
  if (content.length === 0) throw failure(`it is empty${source}`)
  return content
}

const failure = (why: string, cause?: unknown) =>
  new AgentError('DeploymentError', `The config drive cannot be used: ${why}.`, { cause })

async function fetchConfigDrive(url: string, fetching: Fetching): Promise<Buffer> {
  return fetchWhole(url, { ...fetching, limit_bytes: TEXT_LIMIT_BYTES }).catch((error: unknown) => {
    throw failure(`it cannot be downloaded from '${shownUrl(url)}': ${messageOf(error)}`, error)
  })
}

/** undefined: no base64, so the bytes themselves are meant. */
function fromBase64(given: Buffer): Buffer | undefined {
  const text = given.toString('latin1').replace(/\s+/g, '')
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined
}

function unpack(bytes: Buffer, source: string): Buffer {
  try {
    const packed = bytes[0] === 0x1f && bytes[1] === 0x8b
    const content = packed ? gunzipSync(bytes, { maxOutputLength: CONFIG_DRIVE_LIMIT_BYTES }) : bytes
    if (content.length <= CONFIG_DRIVE_LIMIT_BYTES) return content
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') {
      throw failure(`it is not base64 of a gzip file: ${messageOf(error)}${source}`, error)
    }
  }
  throw failure(`its size exceeds the maximum of ${CONFIG_DRIVE_LIMIT_BYTES / MIB} MiB${source}`)
}
