/** `rackstrap ca ...`: shows the appliance's own CA to those who are to trust it. */
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import type { Command } from 'commander'
import { readCaCertificate } from '../ca/authority.ts'
import { ApplianceError } from '../errors.ts'
import { createLog } from '../log.ts'
import { thisBox } from '../serve/box.ts'
import { caFolderOf } from '../serve/own-certificate.ts'
import { loadSettings } from '../serve/settings.ts'
import { print } from './output.ts'

/** Prints the certificate alone to stdout, so that it can go into a file. */
async function show({ config: path }: { config?: string }): Promise<void> {
  const { config } = await loadSettings(path, thisBox, () => createLog('error', () => {}))
  const folder = caFolderOf(config)
  const certificate = await readCaCertificate(folder)
  if (certificate === undefined)
    throw new ApplianceError(
      `There is no ${join(folder, 'ca.crt')} yet: it is made when the registry ([registry] tls) or the API ([api] enable_ssl_api) first starts with TLS of the appliance's own CA.`,
    )
  const { subject, validTo, fingerprint256 } = new X509Certificate(certificate)
  process.stderr.write(`${subject.replace('CN=', '')}, valid until ${validTo}\nSHA-256 ${fingerprint256}\n`)
  await print(certificate)
}

export function addCaCommands(ca: Command, configOption: readonly [string, string]): void {
  ca.command('show')
    .description('print its certificate, for those who are to trust it')
    .option(...configOption)
    .action(show)
}
