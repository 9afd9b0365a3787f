/** Decides how the API answers: in plain http, with a given certificate, or with one of the box's own CA. */
import { readFileSync } from 'node:fs'
import { Certificate } from '@appliance/ground/certificate'
import type { Config } from '../config/options.ts'
import { ConfigInvalid } from '../config/read.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { certificateNames, openOwnCertificate } from './own-certificate.ts'

export type ApiTls = {
  certificate: Certificate
  /** PEM: only clients with a certificate of this CA may connect. */
  client_ca?: string
  /** PEM: what clients need to trust it; left out: its certificate was given. */
  ca?: string
  /** Makes a certificate of ours anew that is about to end; a job calls it. */
  renewCertificate(): Promise<void>
}

type Paths = { section: 'api' | 'ssl'; cert_file: string | undefined; key_file: string | undefined }
const CERTIFICATE_FILE = 'api.pem'
const THIS_BOX = ['localhost', '127.0.0.1', '::1']

/** @source Ironic common/wsgi_service.py: [ssl] counts where [api] has not both files */
function givenPaths({ api, ssl }: Config): Paths | undefined {
  if (api.cert_file || api.key_file) return { section: 'api', cert_file: api.cert_file, key_file: api.key_file }
  if (ssl.cert_file || ssl.key_file) return { section: 'ssl', cert_file: ssl.cert_file, key_file: ssl.key_file }
  return undefined
}

/** @returns undefined: plain http. @throws ApplianceError */
export async function openApiTls(config: Config, log: Log): Promise<ApiTls | undefined> {
  if (!config.api.enable_ssl_api) return undefined
  const given = givenPaths(config)
  if (given)
    return { certificate: openGiven(given, log), ...clientCaOf(config, given), renewCertificate: async () => {} }
  const wanted = { server: 'API', file: CERTIFICATE_FILE, names: namesOf(config) }
  const { path, ca, renew } = await openOwnCertificate(config, wanted, log)
  return {
    certificate: openGiven({ section: 'api', cert_file: path, key_file: path }, log),
    ca,
    renewCertificate: renew,
  }
}

function openGiven(paths: Paths, log: Log): Certificate {
  const fail = (message: string, options?: ErrorOptions) => new ConfigInvalid(message, options)
  const certificate = Certificate.open({ ...paths, fail }, log)
  if (certificate) return certificate
  throw new ConfigInvalid(`[${paths.section}] cert_file is not set.`)
}

function clientCaOf({ ssl }: Config, { section }: Paths): Pick<ApiTls, 'client_ca'> {
  if (section !== 'ssl' || !ssl.ca_file) return {}
  try {
    return { client_ca: readFileSync(ssl.ca_file, 'utf8') }
  } catch (error) {
    throw new ConfigInvalid(`[ssl] ca_file ${ssl.ca_file} cannot be used: ${messageOf(error)}.`, { cause: error })
  }
}

/** The names and addresses by which clients may reach the API. */
const namesOf = ({ DEFAULT, api }: Config): string[] =>
  certificateNames([DEFAULT.host, DEFAULT.my_ip, api.host_ip, ...THIS_BOX, ...api.allowed_hosts])

/** What config check says of it. @throws ConfigInvalid */
export function checkApiTls(config: Config, log: Log): 'own' | 'given' | 'plain' {
  if (!config.api.enable_ssl_api) return 'plain'
  const given = givenPaths(config)
  if (given === undefined) return 'own'
  openGiven(given, log)
  clientCaOf(config, given)
  return 'given'
}
