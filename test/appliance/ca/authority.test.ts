/** The appliance's own CA on a disk, judged by Node's TLS and by what an operator may find there. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { isCertificateName, openAuthority, readCaCertificate } from '../../../appliance/ca/authority.ts'
import { keepCertificate } from '../../../appliance/ca/server-certificate.ts'

const NOW = new Date('2026-11-25T12:00:00Z')
const DAY_MS = 24 * 3600_000
const later = (days: number) => new Date(NOW.getTime() + days * DAY_MS)
const isMissing = !existsSync('/usr/bin/openssl') && 'openssl is not installed'

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'rackstrap-ca-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'ca')
}

async function box(t: TestContext, names = ['box', '192.168.50.1', '::1']) {
  const folder = folderOf(t)
  const path = join(folder, 'registry.pem')
  const authority = await openAuthority(folder, NOW)
  const keep = (change: { names?: string[]; now?: Date } = {}) =>
    keepCertificate(authority, { path, names, now: NOW, ...change })
  return { folder, path, authority, keep, read: () => new X509Certificate(readFileSync(path)) }
}

describe("the appliance's own CA", { skip: isMissing }, () => {
  it('is made once, for ten years, and its key is for its owner alone', async (t) => {
    const folder = folderOf(t)

    assert.equal(await readCaCertificate(folder), undefined)
    const { certificate } = await openAuthority(folder, NOW)
    const again = await openAuthority(folder, later(1))

    assert.equal(again.certificate, certificate)
    assert.equal(await readCaCertificate(folder), certificate)
    assert.equal(statSync(join(folder, 'ca.key')).mode & 0o777, 0o600)
    assert.equal(statSync(folder).mode & 0o777, 0o700)
    assert.deepEqual(readdirSync(folder).sort(), ['ca.crt', 'ca.key'])
    const { ca, subject, validFrom, validTo, publicKey } = new X509Certificate(certificate)
    assert.equal(ca, true)
    assert.match(subject, /^CN=Rackstrap CA [\da-f]{8}$/)
    assert.deepEqual([validFrom, validTo], ['Nov 24 12:00:00 2026 GMT', 'Nov 22 12:00:00 2036 GMT'])
    assert.equal(publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
  })

  it('is one and the same for several that need it first at the same time', async (t) => {
    const folder = folderOf(t)

    const opened = await Promise.all(Array.from({ length: 4 }, () => openAuthority(folder, NOW)))

    assert.equal(new Set(opened.map(({ certificate }) => certificate)).size, 1)
  })

  it('goes on with the key of a start that was killed before there was a certificate', async (t) => {
    const folder = folderOf(t)
    await openAuthority(folder, NOW)
    const key = readFileSync(join(folder, 'ca.key'), 'utf8')
    rmSync(join(folder, 'ca.crt'))

    await openAuthority(folder, NOW)

    assert.equal(readFileSync(join(folder, 'ca.key'), 'utf8'), key)
  })

  it('is refused, not replaced, when its key is gone, or is another', async (t) => {
    const folder = folderOf(t)
    await openAuthority(folder, NOW)
    const other = folderOf(t)
    await openAuthority(other, NOW)
    const act =
      'Bring back both files from a backup; or remove both to have a new CA made, which all clients then have to trust anew.'

    writeFileSync(join(folder, 'ca.key'), readFileSync(join(other, 'ca.key')))
    await assert.rejects(openAuthority(folder, NOW), {
      name: 'ApplianceError',
      message: `The appliance's own CA in ${folder} cannot be used: ca.key is not the key of ca.crt. ${act}`,
    })
    writeFileSync(join(folder, 'ca.key'), 'nonsense')
    await assert.rejects(openAuthority(folder, NOW), /cannot be used: ca\.key is no key \(/)
    rmSync(join(folder, 'ca.key'))
    await assert.rejects(openAuthority(folder, NOW), {
      message: `The appliance's own CA in ${folder} cannot be used: ca.crt is there without ca.key. ${act}`,
    })
  })
})

describe('the certificate of a server', { skip: isMissing }, () => {
  it('is for all names of the box, for a year, by its CA, and stays until there is a reason', async (t) => {
    const { path, authority, keep, read } = await box(t)

    assert.equal(await keep(), 'there was none')
    assert.equal(await keep({ now: later(330) }), undefined)

    const certificate = read()
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.equal(certificate.subjectAltName, 'DNS:box, IP Address:192.168.50.1, IP Address:0:0:0:0:0:0:0:1')
    assert.equal(certificate.ca, false)
    assert.ok(certificate.verify(new X509Certificate(authority.certificate).publicKey))
    assert.equal(certificate.validTo, 'Nov 25 12:00:00 2027 GMT')
  })

  it('is made anew before it ends, for other names, and for another CA', async (t) => {
    const { folder, path, keep, read } = await box(t)
    await keep()
    const first = read().fingerprint256

    assert.equal(await keep({ now: later(340) }), 'it was about to end')
    assert.notEqual(read().fingerprint256, first)
    assert.equal(await keep({ names: ['box', '192.168.50.2'], now: later(340) }), 'the names of this box changed')
    rmSync(folder, { recursive: true })
    const authority = await openAuthority(folder, NOW)
    const old = await box(t)
    await old.keep()
    writeFileSync(path, readFileSync(old.path))
    assert.equal(await keepCertificate(authority, { path, names: ['box'], now: NOW }), 'it was of another CA')
    writeFileSync(path, 'nonsense')
    assert.equal(await keepCertificate(authority, { path, names: ['box'], now: NOW }), 'it could not be read')
  })
})

describe('a name in a certificate', () => {
  for (const name of ['box', 'box.example.org', '*.rack.example', '192.168.50.1', 'fd00::1', '::1'])
    it(`can be ${name}`, () => assert.ok(isCertificateName(name)))
  for (const name of [
    '',
    'a b',
    'box,DNS:other',
    'box\nx = y',
    '-box',
    'box.',
    'a'.repeat(254),
    'email:x@y',
    '999.1.1.1',
  ])
    it(`cannot be ${JSON.stringify(name.slice(0, 20))}`, () => assert.ok(!isCertificateName(name)))
})
