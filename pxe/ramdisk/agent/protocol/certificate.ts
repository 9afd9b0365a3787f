/**
 * A self-signed certificate for the agent's own address, as ironic-python-agent makes it. A tenth of a second, and no
 * openssl in the ramdisk.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { isIPv4, isIPv6 } from 'node:net'
import { bits, context, explicit, integer, octets, oid, sequence, set, time, utf8, yes } from './der.ts'

export type Certificate = { certificate: string; key: string }

const ALLOWED_CLOCK_SKEW_MS = 3600_000
const VALID_FOR_MS = 90 * 24 * 3600_000
const COMMON_NAME = '2.5.4.3'
const SUBJECT_ALT_NAME = '2.5.29.17'
const ECDSA_WITH_SHA512 = '1.2.840.10045.4.3.4'
// RFC 5280 section 4.2.1.6: iPAddress [7]
const IP_ADDRESS = 7

/** @source RFC 5280 section 4.1 */
export function makeCertificate(address: string, now: Date, curve: 'P-256' | 'P-384' | 'P-521'): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: curve })
  const name = sequence(set(sequence(oid(COMMON_NAME), utf8('rackstrap-agent'))))
  const names = sequence(context(IP_ADDRESS, addressBytes(address)))
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    sequence(oid(ECDSA_WITH_SHA512)),
    name,
    sequence(time(new Date(now.getTime() - ALLOWED_CLOCK_SKEW_MS)), time(new Date(now.getTime() + VALID_FOR_MS))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(sequence(oid(SUBJECT_ALT_NAME), yes(), octets(names)))),
  )
  const whole = sequence(body, sequence(oid(ECDSA_WITH_SHA512)), bits(sign('sha512', body, privateKey)))
  return { certificate: pem(whole), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

const pem = (der: Buffer) =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`

/** @throws Error  neither IPv4 nor IPv6 */
function addressBytes(address: string): Buffer {
  const plain = address.replace(/%.*$/, '')
  if (isIPv4(plain)) return Buffer.from(plain.split('.').map(Number))
  if (!isIPv6(plain)) throw new Error(`'${address}' is no IP address: a certificate cannot be made for it`)
  const canonical = new URL(`http://[${plain}]/`).hostname.slice(1, -1)
  const [head = '', tail] = canonical.split('::')
  const words = (text: string) => text.split(':').filter(Boolean)
  const zeros = 8 - words(head).length - words(tail ?? '').length
  const all = tail === undefined ? words(head) : [...words(head), ...Array<string>(zeros).fill('0'), ...words(tail)]
  return Buffer.from(all.map((word) => word.padStart(4, '0')).join(''), 'hex')
}
