/**
 * Decides how clients reach the registry mirror: with a given certificate, with one of the appliance's own CA, or in
 * plain http.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isLoopback } from '@appliance/ground/networks'
import type { RegistryConfig } from '@appliance/registry-mirror'
import { isCertificateName } from '../ca/authority.ts'
import { ConfigInvalid } from '../config/read.ts'
import { messageOf } from '../errors.ts'
import { GUEST_MIRROR_HOST } from '../guest/mirror-address.ts'
import type { Log } from '../log.ts'
import { isAnyAddress } from './addresses.ts'
import { certificateNames, openOwnCertificate } from './own-certificate.ts'
import type { Settings } from './settings.ts'

type Given = Pick<Settings, 'config' | 'registry'>

export type MirrorTls = {
  /** The registry's options; without cert_file it is plain http. */
  config: Pick<RegistryConfig, 'cert_file' | 'key_file' | 'ca'>
  /** Makes a certificate anew that is about to end; a job calls it. */
  renew(): Promise<void>
}

const CERTIFICATE_FILE = 'registry.pem'
const THIS_BOX = ['localhost', '127.0.0.1', '::1', GUEST_MIRROR_HOST]

/** @throws ApplianceError */
export async function openMirrorTls(given: Given, log: Log): Promise<MirrorTls> {
  const kind = tlsOf(given)
  if (kind === 'own') {
    const wanted = { server: 'registry', file: CERTIFICATE_FILE, names: namesOf(given) }
    const { path, ca, renew } = await openOwnCertificate(given.config, wanted, log)
    return { config: { cert_file: path, key_file: path, ca }, renew }
  }
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
export const namesOf = ({ config: { DEFAULT, registry: options }, registry }: Given): string[] =>
  certificateNames([DEFAULT.host, DEFAULT.my_ip, registry.host_ip, ...THIS_BOX, ...options.tls_names])

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
