/** TLS of the registry's own port: a certificate and key that are given. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { openCertificate } from '../../../registry-mirror/http/listen.ts'
import { startRegistry } from '../../../registry-mirror/index.ts'
import { configOf, logTo, temporaryFolder, testRegistry } from '../registry.ts'

function makeCertificate(folder: string, name: string) {
  const [cert_file, key_file] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)]
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync('openssl', [...args, ...subject, '-keyout', key_file, '-out', cert_file], { stdio: 'ignore' })
  return { cert_file, key_file }
}

const statusOf = (port: number, cert_file: string) =>
  new Promise<number | undefined>((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/v2/', ca: readFileSync(cert_file), agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .on('error', reject)
      .end()
  })

const isMissing = !existsSync('/usr/bin/openssl') && 'openssl is not installed'

describe('a registry with a certificate', { skip: isMissing }, () => {
  it('is reached by https, and answers nobody by http', async (t) => {
    const files = makeCertificate(temporaryFolder(t), 'first')
    const registry = await testRegistry(t, files)

    assert.equal(await statusOf(registry.port, files.cert_file), 200)
    await assert.rejects(registry.ask('GET', '/v2/'))
  })

  it('has it for its socket for pulls alone, too', async (t) => {
    const files = makeCertificate(temporaryFolder(t), 'first')
    const registry = await testRegistry(t, files)

    const port = await registry.openForPulls()

    assert.equal(await statusOf(port, files.cert_file), 200)
  })

  it('uses a renewed one without being started anew', async (t: TestContext) => {
    const folder = temporaryFolder(t)
    const files = makeCertificate(folder, 'first')
    const renewed = makeCertificate(folder, 'second')
    const certificate = openCertificate(files, logTo([]))
    copyFileSync(renewed.cert_file, files.cert_file)
    copyFileSync(renewed.key_file, files.key_file)

    const cert = await new Promise<unknown>((resolve) => {
      const server = { setSecureContext: (pem: { cert?: unknown }) => resolve(pem.cert) }
      const stop = certificate?.follow(server, 5)
      t.after(() => stop?.())
      t.after(() => clearTimeout(deadline))
      const deadline = setTimeout(() => resolve('nothing changed within 5 s'), 5_000)
    })

    assert.equal(cert, readFileSync(renewed.cert_file, 'utf8'))
  })

  it('does not start when the key is that of another one, or missing', async (t) => {
    const folder = temporaryFolder(t)
    const { cert_file } = makeCertificate(folder, 'first')
    const { key_file } = makeCertificate(folder, 'second')
    const start = (change: object) => startRegistry({ ...configOf(join(folder, 'storage')), ...change }, logTo([]))

    await assert.rejects(start({ cert_file, key_file }), {
      name: 'RegistryError',
      message: `[registry] key_file ${key_file} is not the key of cert_file ${cert_file}.`,
    })
    await assert.rejects(start({ cert_file }), {
      message: '[registry] key_file is not set: TLS needs cert_file and key_file; for plain http set neither.',
    })
  })
})
