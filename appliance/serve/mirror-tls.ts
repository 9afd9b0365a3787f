/**
 * Decides how clients reach the registry mirror: with a given certificate, with one of the appliance's own CA, or in
 * plain http.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RegistryConfig } from '@appliance/registry-mirror'
import { isCertificateName, openAuthority } from '../ca/authority.ts'
import { keepCertificate } from '../ca/server-certificate.ts'
import type { Config } from '../config/options.ts'
import { ConfigInvalid } from '../config/read.ts'
import { messageOf } from '../errors.ts'
import { GUEST_MIRROR_HOST } from '../guest/mirror-address.ts'
import type { Log } from '../log.ts'
import { isAnyAddress } from './addresses.ts'
import type { Settings } from './settings.ts'

type Given = Pick<Settings, 'config' | 'registry'>

export type MirrorTls = {
  /** The registry's options; without cert_file it is plain http. */
  config: Pick<RegistryConfig, 'cert_file' | 'key_file' | 'ca'>
  /** Makes a certificate anew that is about to end; a job calls it. */
  renew(): Promise<void>
}

/** The folder of the CA and of certificates; the registry writes nothing there. */
export const caFolderOf = ({ DEFAULT }: Config): string => join(DEFAULT.state_path, 'ca')
const CERTIFICATE_FILE = 'registry.pem'
const WARN_BEFORE_MS = 180 * 24 * 3600_000
const THIS_BOX = ['localhost', '127.0.0.1', '::1', GUEST_MIRROR_HOST]
export const isLoopback = (host: string) => ['localhost', '::1'].includes(host) || host.startsWith('127.')

/** @throws ApplianceError */
export async function openMirrorTls(given: Given, log: Log): Promise<MirrorTls> {
  const kind = tlsOf(given)
  if (kind === 'own') return ownTls(given.config, namesOf(given), log)
  const { cert_file, key_file } = given.registry
  const ca = kind === 'given' ? readCa(given.config.registry.ca_file) : undefined
  const config =
    kind === 'given' ? { cert_file, key_file, ...(ca && { ca }) } : { cert_file: undefined, key_file: undefined }
  return { config, renew: async () => {} }
}

/** @throws ConfigInvalid  options that contradict each other */
export function tlsOf({ config, registry }: Given): 'given' | 'own' | 'plain' {
  const { tls, ca_file, tls_names } = config.registry
  const { cert_file, key_file, host_ip } = registry
  const isGiven = Boolean(cert_file || key_file)
  const strange = tls_names.find((name) => !isCertificateName(name))
  if (strange !== undefined)
    throw new ConfigInvalid(`[registry] tls_names: '${strange}' is neither a host name nor an address.`)
  if (tls !== 'auto' && isGiven)
    throw new ConfigInvalid(
      `[registry] tls is ${tls}, and cert_file is given: expected one of the two. Set tls = auto, or drop cert_file and key_file.`,
    )
  if (ca_file && !isGiven)
    throw new ConfigInvalid('[registry] ca_file is given without cert_file: set cert_file and key_file, or drop it.')
  if (isGiven) return 'given'
  return tls === 'off' || (tls === 'auto' && isLoopback(host_ip)) ? 'plain' : 'own'
}

/** The names and addresses by which clients may reach the mirror. */
export function namesOf({ config: { DEFAULT, registry: options }, registry }: Given): string[] {
  const all = [DEFAULT.host, DEFAULT.my_ip, registry.host_ip, ...THIS_BOX, ...options.tls_names]
  return [...new Set(all)].filter((name) => isCertificateName(name) && !isAnyAddress(name))
}

/**
 * The name by which machines call the mirror: its address, or a name when the certificate is valid for that alone.
 * @param cert_file  undefined: plain http
 */
export function hostOf({ config, registry }: Given, cert_file: string | undefined): string {
  const address = isAnyAddress(registry.host_ip) ? config.DEFAULT.my_ip : registry.host_ip
  if (cert_file === undefined) return address
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(readFileSync(cert_file))
  } catch {
    // The registry reads the file next, and says what is wrong with it.
    return address
  }
  if (certificate.checkIP(address) !== undefined) return address
  const names = certificate.subjectAltName?.split(', ').filter((entry) => entry.startsWith('DNS:')) ?? []
  return names.map((entry) => entry.slice('DNS:'.length)).find((name) => !name.includes('*')) ?? address
}

async function ownTls(config: Config, names: readonly string[], log: Log): Promise<MirrorTls> {
  const folder = caFolderOf(config)
  const path = join(folder, CERTIFICATE_FILE)
  const renew = async () => {
    const now = new Date()
    const authority = await openAuthority(folder, now)
    const reason = await keepCertificate(authority, { path, names, now })
    if (reason !== undefined) log.info('certificate of the registry made', { names, reason })
    if (authority.valid_until.getTime() - now.getTime() < WARN_BEFORE_MS)
      log.warn(
        'the CA of the appliance ends: remove its folder to have a new one made, which clients then have to trust',
        {
          folder,
          valid_until: authority.valid_until,
        },
      )
    return authority.certificate
  }
  const ca = await renew()
  return { config: { cert_file: path, key_file: path, ca }, renew: async () => void (await renew()) }
}

/** @throws ConfigInvalid */
export function readCa(path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  try {
    const text = readFileSync(path, 'utf8')
    new X509Certificate(text)
    return text
  } catch (error) {
    throw new ConfigInvalid(`[registry] ca_file ${path} cannot be used: ${messageOf(error)}. Expected a file in PEM.`, {
      cause: error,
    })
  }
}
