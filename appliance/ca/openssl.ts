/**
 * Makes one certificate by the openssl program, in a folder of its own that is gone afterwards. Decides nothing about
 * what is in it.
 */
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { confined } from '@appliance/ground/confine'
import { ApplianceError, messageOf } from '../errors.ts'

export type CertificateRequest = {
  common_name: string
  /** PEM. */
  key: string
  /** Lines of x509v3_config(5). */
  extensions: readonly string[]
  valid_from: Date
  valid_until: Date
  /** PEM; left out: the certificate signs itself. */
  issuer?: { certificate: string; key: string }
}

const DEADLINE_MS = 20_000
const NOT_INSTALLED =
  'The program openssl is not installed, which makes certificates: apt install openssl, or set [registry] cert_file and key_file.'
const FILE_MODE = 0o600
/** Nothing of ours: OPENSSL_CONF and the like would be read. */
const ENVIRONMENT = { env: { LC_ALL: 'C' }, extendEnv: false } as const
const COMMON_NAME = /^[\w.: -]{1,64}$/

/**
 * @param folder  one that only its owner reads: keys lie there for a moment
 * @returns PEM
 * @throws ApplianceError  openssl is not there, or refuses
 */
export async function certify(folder: string, request: CertificateRequest): Promise<string> {
  const { common_name, issuer } = request
  if (!COMMON_NAME.test(common_name)) throw new Error(`'${common_name}' is no name for a certificate`)
  await using place = await mkdtempDisposable(join(folder, 'making-'))
  const write = (name: string, text: string) => writeFile(join(place.path, name), text, { mode: FILE_MODE })
  await write('openssl.cnf', configOf(request))
  await write('index.txt', '')
  await write('subject.key', request.key)
  if (issuer) {
    await write('issuer.crt', issuer.certificate)
    await write('issuer.key', issuer.key)
  }
  const config = ['-config', 'openssl.cnf']
  await openssl(place.path, ['req', '-new', ...config, '-key', 'subject.key', '-out', 'request'])
  // Of all subcommands, `ca` alone takes a beginning in OpenSSL 3.0, which is Debian 12's.
  const times = ['-startdate', timeOf(request.valid_from), '-enddate', timeOf(request.valid_until)]
  const by = issuer ? ['-cert', 'issuer.crt', '-keyfile', 'issuer.key'] : ['-selfsign', '-keyfile', 'subject.key']
  return await openssl(place.path, ['ca', '-batch', '-notext', ...config, ...by, ...times, '-in', 'request'])
}

/** @source openssl-ca(1): YYYYMMDDHHMMSSZ */
const timeOf = (date: Date) => `${date.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`

/** The whole configuration: what a distribution or an administrator put into openssl.cnf has no effect. */
const configOf = ({ common_name, extensions }: CertificateRequest) => `[req]
distinguished_name = subject
prompt = no
[subject]
commonName = ${common_name}
[ca]
default_ca = authority
[authority]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = policy
x509_extensions = extensions
[policy]
commonName = supplied
[extensions]
${extensions.join('\n')}
`

/** @throws ApplianceError  openssl cannot be run */
export const requireOpenssl = async (): Promise<void> => void (await openssl('/', ['version']))

async function openssl(cwd: string, args: readonly string[]): Promise<string> {
  // Read when a program is run: execa is a hundred files.
  const { execa } = await import('execa')
  try {
    const [file, all] = confined('openssl', args, { writes: cwd === '/' ? [] : [cwd], isOffline: true })
    const { stdout } = await execa(file, all, { cwd, stdin: 'ignore', timeout: DEADLINE_MS, ...ENVIRONMENT })
    return `${stdout}\n`
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: string }
    if (code === 'ENOENT') throw new ApplianceError(NOT_INSTALLED, { cause: error })
    const why = stderr?.trim().slice(-500) || messageOf(error)
    throw new ApplianceError(`openssl ${args[0]} failed: ${why}`, { cause: error })
  }
}
