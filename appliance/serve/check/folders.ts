/**
 * Checks the folders and files that the configuration names: they must be of the right kind, and open to this
 * account. Changes nothing.
 */
import { accessSync, constants, statSync } from 'node:fs'
import type { RegistryConfig } from '@appliance/registry-mirror'
import type { Config } from '../../config/options.ts'
import { nearest } from './owners.ts'

const { R_OK, W_OK, X_OK } = constants

/** @returns one sentence each; a missing folder is no problem, its user makes it */
export function problemsOfFolders(config: Config, registry: Pick<RegistryConfig, 'storage_path'>): string[] {
  const { DEFAULT, deploy, pxe, oci, agent } = config
  const written: [string, string][] = [
    ['[DEFAULT] state_path', DEFAULT.state_path],
    ['[deploy] http_root', deploy.http_root],
    ['[pxe] instance_master_path', pxe.instance_master_path],
    ['[pxe] tftp_root', pxe.tftp_root],
    ...(config.registry.enabled ? [['[registry] storage_path', registry.storage_path] as [string, string]] : []),
  ]
  const read: [string, string][] = [
    ['[pxe] ramdisk_path', pxe.ramdisk_path],
    ...DEFAULT.plugin_path.map((path): [string, string] => ['[DEFAULT] plugin_path', path]),
  ]
  const files: [string, string | undefined][] = [
    ['[oci] authentication_config', oci.authentication_config],
    ['[DEFAULT] webserver_verify_ca', pathIn(DEFAULT.webserver_verify_ca)],
    ['[agent] verify_ca', pathIn(agent.verify_ca)],
  ]
  // A file in the place of a folder blocks all folders below it: reported once.
  const lieElsewhere = written.filter(([, path]) => !written.some(([, above]) => isBelowFile(path, above)))
  return [
    ...lieElsewhere.map(([option, path]) => problemOfFolder(option, path, R_OK | W_OK | X_OK)),
    ...read.map(([option, path]) => problemOfFolder(option, path, R_OK | X_OK)),
    ...files.map(([option, path]) => problemOfFile(option, path)),
  ].filter((problem) => problem !== undefined)
}

const isBelowFile = (path: string, above: string) => path.startsWith(`${above}/`) && lookAt(path) === 'below a file'

const pathIn = (text: string) => (text.startsWith('/') ? text : undefined)

function problemOfFolder(option: string, path: string, mode: number): string | undefined {
  const found = lookAt(path)
  if (found === 'absent') return undefined
  if (found === 'closed') return closed(option, path)
  if (found === 'below a file' || !found.isDirectory()) {
    return `${option} is ${path}, and ${nearest(path).path} is a file: expected a folder, or nothing yet. Move it away, or name another folder.`
  }
  if (isOpen(path, mode)) return undefined
  return mode & W_OK ? closed(option, path, 'read and write') : closed(option, path)
}

function problemOfFile(option: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  const found = lookAt(path)
  if (found === 'absent' || found === 'below a file') return `${option} is ${path}, and there is no such file.`
  return found !== 'closed' && isOpen(path, R_OK) ? undefined : closed(option, path)
}

const closed = (option: string, path: string, what = 'read') =>
  `${option} is ${path}, which this account (uid ${process.getuid?.() ?? 'unknown'}) may not ${what}. Correct its owner or mode, or run this as the account of the service.`

function lookAt(path: string) {
  try {
    return statSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTDIR') return 'below a file' as const
    return code === 'EACCES' ? ('closed' as const) : ('absent' as const)
  }
}

function isOpen(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    // The sentence names the account, whatever the reason is.
    return false
  }
}
