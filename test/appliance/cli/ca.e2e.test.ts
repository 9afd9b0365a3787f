/**
 * Real clients that are told of the appliance's own CA as README says, against the registry mirror as an operator
 * starts it.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { startChild } from '../../bench/child.ts'

const CLI = join(import.meta.dirname, '../../../appliance/cli.ts')
const execute = promisify(execFile)
const TIMEOUT_MS = 60_000
const missing = ['openssl', 'skopeo', 'curl'].find((name) => !existsSync(`/usr/bin/${name}`))
const hasPodman = existsSync('/usr/bin/podman')
const skip = missing !== undefined && `${missing} is not installed`

function configFile(t: TestContext, registry: string) {
  const folder = mkdtempSync(join(tmpdir(), 'rackstrap-ca-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'rackstrap.conf')
  const api = '[api]\nhost_ip = 127.0.0.1\nport = 0\n[deploy]\nhttp_url = http://127.0.0.1:0\n'
  const settled = `[DEFAULT]\nstate_path = ${folder}/state\nmy_ip = 127.0.0.1\n${api}`
  writeFileSync(path, `${settled}[registry]\nport = 0\nmin_free = 0\n${registry}`)
  return { folder, config: ['--config', path] }
}

const rackstrap = (...args: string[]) => execute(process.execPath, [CLI, ...args], { timeout: TIMEOUT_MS })

/** An image without layers. @returns its folder, as skopeo names it */
async function emptyImage(folder: string): Promise<string> {
  const layout = join(folder, 'image')
  mkdirSync(layout)
  const config = '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
  const { stdout } = await execute('sh', ['-c', 'printf %s "$1" | sha256sum', 'sh', config])
  const digest = stdout.slice(0, 64)
  writeFileSync(join(layout, digest), config)
  writeFileSync(join(layout, 'version'), 'Directory Transport Version: 1.1\n')
  const mediaType = 'application/vnd.oci.image.config.v1+json'
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType, digest: `sha256:${digest}`, size: config.length },
    layers: [],
  }
  writeFileSync(join(layout, 'manifest.json'), JSON.stringify(manifest))
  return `dir:${layout}`
}

describe("a registry with a certificate of the appliance's own CA", { skip }, () => {
  it('is trusted by curl and skopeo, and podman where it is installed, that have the CA, and by nobody else', async (t) => {
    const { folder, config } = configFile(t, 'tls = own\n')
    await using child = startChild([CLI, 'registry', 'serve', ...config])
    const { port } = await child.told('registry listens')
    const { stdout, stderr } = await rackstrap('ca', 'show', ...config)
    const place = `127.0.0.1:${port}`
    const home = join(folder, 'home')
    const certs = join(home, '.config/containers/certs.d', place)
    const env = { ...process.env, HOME: home, REGISTRY_AUTH_FILE: join(folder, 'auth.json') }
    const run = (file: string, ...args: string[]) => execute(file, args, { env, timeout: TIMEOUT_MS })
    writeFileSync(join(folder, 'auth.json'), '{}')
    const image = await emptyImage(folder)
    const copy = () => run('skopeo', 'copy', image, `docker://${place}/app:v1`)
    const ping = (...args: string[]) => run('curl', '--silent', '--show-error', '--fail', ...args)

    await assert.rejects(copy(), /certificate/)
    await assert.rejects(ping(`https://${place}/v2/`), /certificate/)
    mkdirSync(certs, { recursive: true })
    writeFileSync(join(certs, 'ca.crt'), stdout)
    const names = ['127.0.0.1', 'localhost', '[::1]']
    for (const name of names)
      await ping('--cacert', join(certs, 'ca.crt'), '--connect-to', `::${place}`, `https://${name}:${port}/v2/`)
    await copy()
    const store = ['--root', join(folder, 'store'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs']
    if (hasPodman) await run('podman', ...store, 'pull', '--quiet', `${place}/app:v1`)

    const { fingerprint256 } = new X509Certificate(stdout)
    assert.match(stderr, new RegExp(`^Rackstrap CA [\\da-f]{8}, valid until .* GMT\nSHA-256 ${fingerprint256}\n$`))
  })

  it('has the CA served by the appliance, on both its servers', async (t) => {
    const { config } = configFile(t, 'enabled = True\ntls = own\n')
    await using child = startChild([CLI, 'serve', ...config])
    const { api, http } = await child.told('listening')

    const { stdout } = await rackstrap('ca', 'show', ...config)
    const answers = await Promise.all([api, http].map((base) => fetch(`${base}/ca.crt`)))

    for (const answer of answers) {
      assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'application/pem-certificate-chain'])
      assert.equal(await answer.text(), stdout)
    }
  })
})

describe('an appliance that needs no CA', () => {
  it('has made none, and says so', async (t) => {
    const { folder, config } = configFile(t, 'enabled = True\n')
    await using child = startChild([CLI, 'serve', ...config])
    const { api, http } = await child.told('listening')

    const { parts } = (await (await fetch(`${api}/healthz`)).json()) as { parts: object }
    const statuses = await Promise.all([api, http].map(async (base) => (await fetch(`${base}/ca.crt`)).status))

    assert.deepEqual(Object(parts).registry, { healthy: true })
    assert.deepEqual(statuses, [404, 404])
    assert.ok(!existsSync(join(folder, 'state/ca')))
    await assert.rejects(rackstrap('ca', 'show', ...config), {
      stderr: `rackstrap: There is no ${folder}/state/ca/ca.crt yet: it is made when the registry ([registry] tls) or the API ([api] enable_ssl_api) first starts with TLS of the appliance's own CA.\n`,
    })
  })
})
