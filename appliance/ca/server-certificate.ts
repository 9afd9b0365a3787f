/**
 * Renews the certificate of a server of this box when it is not from our CA, not for these names, or about to end.
 * Key and certificate are one file, so that they change together.
 */
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { readIfThere, replaceFile } from '@appliance/ground/files'
import { type Authority, CLOCK_SKEW_MS, DAY_MS } from './authority.ts'

const VALID_FOR_DAYS = 365
const RENEW_BEFORE_DAYS = 30

export type ServerCertificate = { path: string; names: readonly string[]; now: Date }

/** @returns why the certificate was made anew; undefined: it was right */
export async function keepCertificate(
  authority: Authority,
  { path, names, now }: ServerCertificate,
): Promise<string | undefined> {
  const found = await readIfThere(path)
  const reason = found === undefined ? 'there was none' : whyNot(authority, found, { names, now })
  if (reason === undefined) return undefined
  const from = new Date(now.getTime() - CLOCK_SKEW_MS)
  const until = new Date(now.getTime() + VALID_FOR_DAYS * DAY_MS)
  await replaceFile(path, await authority.issue(names, { from, until }))
  return reason
}

function whyNot(authority: Authority, text: string, wanted: Omit<ServerCertificate, 'path'>): string | undefined {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(text)
    if (!authority.issued(text)) return 'it was of another CA'
  } catch {
    // A new certificate takes the place of whatever lies there, and the reason is reported.
    return 'it could not be read'
  }
  if (namesOf(certificate).join() !== canonical(wanted.names).join()) return 'the names of this box changed'
  const left_ms = certificate.validToDate.getTime() - wanted.now.getTime()
  if (left_ms < RENEW_BEFORE_DAYS * DAY_MS) return 'it was about to end'
  // The clock was wrong when it was made.
  return certificate.validFromDate.getTime() > wanted.now.getTime() ? 'it was not valid yet' : undefined
}

/** Node writes "DNS:box, IP Address:192.168.50.1, IP Address:0:0:0:0:0:0:0:1". */
const namesOf = ({ subjectAltName = '' }: X509Certificate) =>
  canonical(subjectAltName.split(', ').map((entry) => entry.replace(/^(DNS|IP Address):/, '')))

const canonical = (names: readonly string[]) =>
  names.map((name) => (isIP(name) === 6 ? new URL(`http://[${name}]`).hostname : name)).sort()
