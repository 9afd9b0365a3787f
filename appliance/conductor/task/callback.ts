/** What a machine takes along into its installation: its config drive, and the token by which an installer reports. */
import { randomBytes } from 'node:crypto'
import { hasMembers } from '@appliance/ground/exact-number'
import { InvalidParameterValue } from '../../errors.ts'
import { encodeConfigDrive } from '../../images/config-drive.ts'
import { readConfigDriveFiles } from '../../images/config-drive-files.ts'
import type { ConfigDriveFile, Json } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'
import type { NodeHandle } from '../states/node-handle.ts'

const TOKEN_BYTES = 32
/** Of a config drive behind an address; as much as an agent takes, in base64. */
const DRIVE_LIMIT_BYTES = 86 * 1024 * 1024

/** As long as the one of an agent, and dropped like it at power off. @returns whether it was made just now, too */
export async function tokenOf(node: NodeHandle): Promise<{ token: string; isNew: boolean }> {
  const fresh = randomBytes(TOKEN_BYTES).toString('base64url')
  let token = fresh
  await node.update(({ driver_internal_info }) => {
    const known = driver_internal_info.agent_secret_token
    if (known !== undefined && known !== '') {
      token = known
      return {}
    }
    return { internal: { agent_secret_token: fresh } }
  })
  return { token, isNew: token === fresh }
}

export const callbackToken = async (node: NodeHandle) => (await tokenOf(node)).token

/** Base64 of a gzipped ISO9660 volume, or a URL of such a text. */
export async function configDriveOf(node: Node, signal: AbortSignal): Promise<string | undefined> {
  const { configdrive } = node.instance_info
  if (configdrive === undefined || configdrive === null || configdrive === '') return undefined
  if (hasMembers(configdrive)) return encodeConfigDrive(configdrive as Json, node, signal)
  return String(configdrive)
}

/** What an address gives is fetched anew each time, and not kept: it holds secrets. @throws InvalidParameterValue */
export async function configDriveFilesOf(
  { images }: Pick<Parts, 'images'>,
  node: Node,
  signal: AbortSignal,
): Promise<ConfigDriveFile[]> {
  const encoded = await configDriveOf(node, signal)
  if (encoded === undefined) return []
  if (!/^https?:\/\//i.test(encoded)) return readConfigDriveFiles(encoded, signal)
  if (!URL.canParse(encoded)) throw new InvalidParameterValue('The config drive is not an address that can be used.')
  return readConfigDriveFiles(await images.fetchText(new URL(encoded), DRIVE_LIMIT_BYTES, signal), signal)
}
