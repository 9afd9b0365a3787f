/** Certificates of servers of this box, by the box's own CA. */
import { join } from 'node:path'
import { isCertificateName, openAuthority } from '../ca/authority.ts'
import { keepCertificate } from '../ca/server-certificate.ts'
import type { Config } from '../config/options.ts'
import type { Log } from '../log.ts'
import { isAnyAddress } from './addresses.ts'

/** The folder of the CA and of certificates; the servers write nothing there. */
export const caFolderOf = ({ DEFAULT }: Config): string => join(DEFAULT.state_path, 'ca')
const WARN_BEFORE_MS = 180 * 24 * 3600_000

/** Of those by which clients may reach a server, those that a certificate can name. */
export const certificateNames = (wanted: readonly string[]): string[] =>
  [...new Set(wanted)].filter((name) => isCertificateName(name) && !isAnyAddress(name))

export type OwnCertificate = {
  /** Of one file with the key and the certificate. */
  path: string
  /** PEM: what clients need to trust it. */
  ca: string
  /** Makes a certificate anew that is about to end; a job calls it. */
  renew(): Promise<void>
}

/**
 * @param wanted  server: as the log names it; file: the name of its file; names: by which clients reach it
 * @throws ApplianceError
 */
export async function openOwnCertificate(
  config: Config,
  { server, file, names }: { server: string; file: string; names: readonly string[] },
  log: Log,
): Promise<OwnCertificate> {
  const folder = caFolderOf(config)
  const path = join(folder, file)
  const renew = async () => {
    const now = new Date()
    const authority = await openAuthority(folder, now)
    const reason = await keepCertificate(authority, { path, names, now })
    if (reason !== undefined) log.info('certificate made', { server, names, reason })
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
  return { path, ca: await renew(), renew: async () => void (await renew()) }
}
