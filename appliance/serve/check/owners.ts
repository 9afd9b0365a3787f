/** Checks who owns the folders that the appliance writes to: the account that reads them must be able to. */
import { readFileSync, type Stats, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname, resolve } from 'node:path'
import process from 'node:process'
import { codeOf, leadsNowhere } from '@appliance/ground/errno'
import { ConfigInvalid } from '../../config/read.ts'
import type { Settings } from '../settings.ts'

type Configured = Pick<Settings, 'config' | 'registry'>
type Folder = { option: string; path: string }

const ROOT = 0

function foldersOf({ config, registry }: Configured): Folder[] {
  const { DEFAULT, deploy, pxe } = config
  const written = (option: string, path: string): Folder => ({ option, path: resolve(path) })
  return [
    written('[DEFAULT] state_path', DEFAULT.state_path),
    written('[deploy] http_root', deploy.http_root),
    written('[pxe] instance_master_path', pxe.instance_master_path),
    written('[pxe] tftp_root', pxe.tftp_root),
    ...(config.registry.enabled ? [storageOf(registry)] : []),
  ]
}

const storageOf = ({ storage_path }: Pick<Settings['registry'], 'storage_path'>): Folder => ({
  option: '[registry] storage_path',
  path: resolve(storage_path),
})

/**
 * Root would leave files that the account of the service can neither read nor replace.
 * @throws ConfigInvalid  this runs as root, and a folder to be written to is another account's
 */
export function refuseForeignFolders(settings: Configured, { isRegistryAlone = false } = {}): void {
  if (process.getuid?.() !== ROOT) return
  const folders = isRegistryAlone ? [storageOf(settings.registry)] : foldersOf(settings)
  for (const { option, path } of folders) {
    const { path: found, stats } = nearest(path)
    if (stats === undefined || stats.uid === ROOT) continue
    const owner = nameOf(stats.uid)
    throw new ConfigInvalid(
      `${option} is ${path}, and ${found} belongs to ${owner}, but this runs as root: ${owner} could not use what root writes there. ` +
        `Start the service (systemctl start rackstrap), run this as that account (runuser -u ${owner} -- ...), or name a folder of root's own.`,
    )
  }
}

/** The path itself, or the first thing above it that is there. */
export function nearest(path: string): { path: string; stats: Stats | undefined } {
  try {
    return { path, stats: statSync(path) }
  } catch (error) {
    // A path that may not be looked at is reported when it is used.
    if (!leadsNowhere(error) || path === dirname(path)) return { path, stats: undefined }
    return nearest(dirname(path))
  }
}

/** The account's name, or its number when it has none. */
function nameOf(uid: number): string {
  const accounts = readFileSync('/etc/passwd', 'utf8').split('\n')
  return accounts.map((line) => line.split(':')).find(([, , id]) => id === String(uid))?.[0] ?? String(uid)
}

/**
 * Explains an error that comes from running as another account than the file's owner.
 * @returns undefined: permissions are not the reason
 */
export function foreignFile(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { path } = cause as NodeJS.ErrnoException
    if (!['EACCES', 'EPERM'].includes(codeOf(cause) ?? '') || path === undefined) continue
    const uid = process.getuid?.()
    const { path: found, stats } = nearest(path)
    if (stats === undefined || uid === undefined || stats.uid === uid) return undefined
    const { username } = userInfo()
    return (
      `${found} belongs to ${nameOf(stats.uid)}, and this runs as ${username}. ` +
      `When it is ${username}'s to use, give it to that account: chown -R ${username}: ${found}`
    )
  }
  return undefined
}
