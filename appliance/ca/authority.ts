/**
 * The appliance's own CA: one key and one certificate for the life of the box, made when they are first needed. It
 * signs certificates of servers only.
 */
import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { isIP } from 'node:net'
import { dirname, join } from 'node:path'
import { makeFile, readIfThere, sync } from '@appliance/ground/files'
import { ApplianceError, messageOf } from '../errors.ts'
import { certify } from './openssl.ts'

export type Authority = {
  /** The certificate, as PEM; everybody may have it. */
  certificate: string
  valid_until: Date
  /** Whether this CA signed a certificate (PEM). */
  issued(certificate: string): boolean
  /** @param names  host names and addresses. @returns PEM: a key of its own, and its certificate */
  issue(names: readonly string[], valid: { from: Date; until: Date }): Promise<string>
}

export const DAY_MS = 24 * 3600_000
/** Clocks of machines fresh from the shelf may be in another time zone. */
export const CLOCK_SKEW_MS = 24 * 3600_000
const VALID_FOR_DAYS = 3650
const KEY_FILE = 'ca.key'
const CERTIFICATE_FILE = 'ca.crt'
const EXTENSIONS = [
  'basicConstraints = critical,CA:TRUE,pathlen:0',
  'keyUsage = critical,keyCertSign,cRLSign',
  'subjectKeyIdentifier = hash',
]

/**
 * @param folder  made when it is not there, readable for its owner alone
 * @throws ApplianceError  what is there cannot be used
 */
export async function openAuthority(folder: string, now: Date): Promise<Authority> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await sync(dirname(folder))
  const key = await keyOf(folder)
  const certificate =
    (await readIfThere(join(folder, CERTIFICATE_FILE))) ??
    (await makeFile(join(folder, CERTIFICATE_FILE), await makeCertificate(folder, key, now), 0o644))
  const parsed = parse(folder, certificate)
  if (!parsed.checkPrivateKey(privateKeyOf(folder, key)))
    throw refused(folder, `${KEY_FILE} is not the key of ${CERTIFICATE_FILE}`)
  return {
    certificate,
    valid_until: parsed.validToDate,
    issued: (text) => new X509Certificate(text).verify(parsed.publicKey),
    issue: (names, valid) => issue(folder, { certificate, key }, { names, ...valid }),
  }
}

/** Reads the certificate of the CA. @returns PEM; undefined: no CA was made yet */
export const readCaCertificate = (folder: string): Promise<string | undefined> =>
  readIfThere(join(folder, CERTIFICATE_FILE))

async function keyOf(folder: string): Promise<string> {
  const found = await readIfThere(join(folder, KEY_FILE))
  if (found !== undefined) return found
  if ((await readCaCertificate(folder)) !== undefined)
    throw refused(folder, `${CERTIFICATE_FILE} is there without ${KEY_FILE}`)
  return makeFile(join(folder, KEY_FILE), newKey(), 0o600)
}

const newKey = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

/** Two boxes have two names: a client that trusts both can tell them apart. */
const makeCertificate = (folder: string, key: string, now: Date) =>
  certify(folder, {
    common_name: `Rackstrap CA ${randomBytes(4).toString('hex')}`,
    key,
    extensions: EXTENSIONS,
    valid_from: new Date(now.getTime() - CLOCK_SKEW_MS),
    valid_until: new Date(now.getTime() + VALID_FOR_DAYS * DAY_MS),
  })

type Issuer = { certificate: string; key: string }
type Subject = { names: readonly string[]; from: Date; until: Date }

async function issue(folder: string, issuer: Issuer, { names, from, until }: Subject): Promise<string> {
  const key = newKey()
  const certificate = await certify(folder, {
    common_name: 'Rackstrap',
    key,
    extensions: [
      'basicConstraints = critical,CA:FALSE',
      'keyUsage = critical,digitalSignature',
      'extendedKeyUsage = serverAuth',
      'subjectKeyIdentifier = hash',
      'authorityKeyIdentifier = keyid',
      `subjectAltName = ${names.map(altNameOf).join(',')}`,
    ],
    valid_from: from,
    valid_until: until,
    issuer,
  })
  return `${key}${certificate}`
}

const LABEL = '[a-zA-Z0-9_](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?'
const HOST = new RegExp(`^(?=.{1,253}$)(?:\\*\\.)?${LABEL}(?:\\.${LABEL})*$`)

/** A name whose last part has digits alone is an address, or it is invalid. @source WHATWG URL, "ends in a number" */
export const isCertificateName = (name: string): boolean =>
  isIP(name) > 0 || (HOST.test(name) && !/(^|\.)\d+$/.test(name))

function altNameOf(name: string): string {
  if (!isCertificateName(name)) throw new Error(`'${name}' is neither a host name nor an address`)
  return isIP(name) ? `IP:${name}` : `DNS:${name}`
}

function parse(folder: string, certificate: string): X509Certificate {
  try {
    return new X509Certificate(certificate)
  } catch (error) {
    throw refused(folder, `${CERTIFICATE_FILE} is no certificate (${messageOf(error)})`, error)
  }
}

function privateKeyOf(folder: string, key: string) {
  try {
    return createPrivateKey(key)
  } catch (error) {
    throw refused(folder, `${KEY_FILE} is no key (${messageOf(error)})`, error)
  }
}

const refused = (folder: string, why: string, cause?: unknown) =>
  new ApplianceError(
    `The appliance's own CA in ${folder} cannot be used: ${why}. Bring back both files from a backup; or remove both to have a new CA made, which all clients then have to trust anew.`,
    { cause },
  )
