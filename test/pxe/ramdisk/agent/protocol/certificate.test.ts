/** The agent's own certificate, as Node's and undici's TLS see it. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { Agent, request } from 'undici'
import { makeCertificate } from '../../../../../pxe/ramdisk/agent/protocol/certificate.ts'

const NOW = new Date('2026-11-25T12:00:00Z')

describe("the agent's certificate", () => {
  for (const [address, san] of [
    ['192.0.2.7', 'IP Address:192.0.2.7'],
    ['2001:db8::7', 'IP Address:2001:DB8:0:0:0:0:0:7'],
    ['fe80::1%eth0', 'IP Address:FE80:0:0:0:0:0:0:1'],
  ] as const) {
    it(`is for the address ${address}, from an hour ago and for 90 days`, () => {
      const certificate = new X509Certificate(makeCertificate(address, NOW, 'P-384').certificate)

      assert.equal(certificate.subjectAltName, san)
      assert.equal(certificate.checkIP(address.replace(/%.*/, '')), address.replace(/%.*/, ''))
      assert.equal(certificate.validFromDate.toISOString(), '2026-11-25T11:00:00.000Z')
      assert.equal(certificate.validToDate.toISOString(), '2027-02-23T12:00:00.000Z')
      assert.ok(certificate.verify(certificate.publicKey))
    })
  }

  it('cannot be made for a name', () => {
    assert.throws(() => makeCertificate('agent.example', NOW, 'P-384'), {
      message: "'agent.example' is no IP address: a certificate cannot be made for it",
    })
  })

  it('after the year 2049 has its dates in the long form', () => {
    const late = new X509Certificate(
      makeCertificate('192.0.2.7', new Date('2049-12-31T00:00:00Z'), 'P-256').certificate,
    )

    assert.equal(late.validToDate.toISOString(), '2050-03-31T00:00:00.000Z')
  })

  for (const curve of ['P-256', 'P-384', 'P-521'] as const) {
    it(`on ${curve} is trusted by whoever has it, and by nobody else`, async () => {
      const own = makeCertificate('127.0.0.1', new Date(), curve)
      const other = makeCertificate('127.0.0.1', new Date(), curve)
      const server = createServer(
        { cert: own.certificate, key: own.key, minVersion: 'TLSv1.3' },
        (_request, response) => response.end('hello'),
      )
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`
      const [knowing, strange] = [own, other].map(({ certificate }) => new Agent({ connect: { ca: certificate } }))
      assert.ok(knowing && strange)

      const { body } = await request(url, { dispatcher: knowing })
      assert.equal(await body.text(), 'hello')
      await assert.rejects(request(url, { dispatcher: strange }), /self-signed certificate|signature failure/)

      await Promise.all([knowing.destroy(), strange.destroy()])
      server.closeAllConnections()
      server.close()
    })
  }
})
