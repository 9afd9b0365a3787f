/**
 * Debian's own clients against a registry that asks for credentials, by TLS: skopeo logs in, pushes and pulls, and
 * pulls without.
 */
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { startRegistry } from '../../../registry-mirror/index.ts'
import { configOf, logTo, temporaryFolder } from '../registry.ts'

const execute = promisify(execFile)
const isMissing = !existsSync('/usr/bin/skopeo') && 'skopeo is not installed'

function makeLayout(folder: string): string {
  const layout = join(folder, 'layout')
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true })
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  const put = (text: string) => {
    const digest = execFileSync('sha256sum', { input: text, encoding: 'utf8' }).slice(0, 64)
    writeFileSync(join(layout, 'blobs/sha256', digest), text)
    return { digest: `sha256:${digest}`, size: text.length }
  }
  const config = put('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}')
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = put(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
      layers: [],
    }),
  )
  writeFileSync(
    join(layout, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType, ...manifest }] }),
  )
  return `oci:${layout}`
}

describe('skopeo and a registry with users', { skip: isMissing }, () => {
  it('pushes with credentials alone, and pulls without', async (t) => {
    const folder = temporaryFolder(t)
    const [cert_file, key_file] = [join(folder, 'registry.crt'), join(folder, 'registry.key')]
    const name = ['-subj', '/CN=registry', '-addext', 'subjectAltName=IP:127.0.0.1']
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    execFileSync('openssl', ['req', ...kind, ...name, '-keyout', key_file, '-out', cert_file], { stdio: 'ignore' })
    const htpasswd_file = join(folder, 'htpasswd')
    const hash = execFileSync('openssl', ['passwd', '-6', 'secret'], { encoding: 'utf8' })
    writeFileSync(htpasswd_file, `alice:${hash}`)
    const config = { ...configOf(join(folder, 'storage')), htpasswd_file, cert_file, key_file }
    const registry = await startRegistry(config, logTo([]))
    t.after(() => registry.stop())
    mkdirSync(join(folder, 'certs'))
    execFileSync('cp', [cert_file, join(folder, 'certs', 'registry.crt')])
    const at = (path: string) => `docker://127.0.0.1:${registry.port}/${path}`
    const env = { ...process.env, REGISTRY_AUTH_FILE: join(folder, 'auth.json'), HOME: folder }
    const skopeo = (...args: string[]) => execute('skopeo', args, { timeout: 30_000, env })
    const layout = makeLayout(folder)
    const to = ['--dest-cert-dir', join(folder, 'certs')]
    const from = ['--src-cert-dir', join(folder, 'certs')]

    await assert.rejects(skopeo('copy', ...to, layout, at('app:v1')), /unauthorized|authentication required/i)
    await assert.rejects(skopeo('copy', ...to, '--dest-creds', 'alice:wrong', layout, at('app:v1')))
    await skopeo('copy', ...to, '--dest-creds', 'alice:secret', layout, at('app:v1'))
    await skopeo('copy', ...from, at('app:v1'), `oci:${join(folder, 'copy')}`)

    assert.ok(existsSync(join(folder, 'copy', 'index.json')))
  })
})
