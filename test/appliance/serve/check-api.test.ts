import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readConfig, readConfigFile } from '../../../appliance/config/read.ts'
import { problemsOfApi, warningOfApi } from '../../../appliance/serve/check-api.ts'
import { apiHealth } from '../../../appliance/serve/health.ts'
import { ownHostsOf } from '../../../appliance/serve/operator-face.ts'

const read = (text: string) => readConfig(readConfigFile('r.conf', text), { host: 'box', my_ip: () => '192.0.2.1' })

describe('[api] network_data_schema', () => {
  it('is a file with a JSON schema, or no start', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'network-data-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const problemsOf = (text: string) => {
      const file = join(folder, 'schema.json')
      writeFileSync(file, text)
      return problemsOfApi(read(`[api]\nnetwork_data_schema = ${file}`))
        .join()
        .replace(file, 'FILE')
    }

    assert.equal(problemsOf('{"type": "object"}'), '')
    assert.match(
      problemsOf('{"type": '),
      /^\[api\] network_data_schema is FILE, which cannot be used: .*JSON.*Expected a file with a JSON schema\.$/,
    )
  })
})

describe('auth_strategy = noauth', () => {
  it('is for loopback; anywhere else it is refused with what to do', () => {
    for (const host of ['127.0.0.1', '127.8.0.1', '::1', 'localhost'])
      assert.deepEqual(problemsOfApi(read(`[api]\nhost_ip = ${host}`)), [], host)
    for (const host of ['0.0.0.0', '::', '192.0.2.1'])
      assert.deepEqual(problemsOfApi(read(`[api]\nhost_ip = ${host}`)), [
        `[api] host_ip is ${host}, and [DEFAULT] auth_strategy is noauth: whoever reaches it could do all. Set auth_strategy = http_basic, or host_ip = 127.0.0.1; [api] allow_open = True leaves it open.`,
      ])
    assert.deepEqual(problemsOfApi(read('[DEFAULT]\nauth_strategy = http_basic\n[api]\nhost_ip = 0.0.0.0')), [])
    assert.deepEqual(problemsOfApi(read('')), [])
  })

  it('is left open by [api] allow_open, which is warned of, in health as well', () => {
    const open = read('[api]\nhost_ip = 192.0.2.1\nallow_open = True')
    const warning =
      '[api] allow_open is True, and [DEFAULT] auth_strategy is noauth: whoever reaches 192.0.2.1 may do all with every node.'

    assert.deepEqual(problemsOfApi(open), [])
    assert.equal(warningOfApi(open), warning)
    assert.deepEqual(apiHealth(open), { healthy: true, message: warning })
    assert.equal(warningOfApi(read('[api]\nallow_open = True')), undefined)
    assert.deepEqual(apiHealth(read('')), { healthy: true })
  })
})

describe('http_basic without TLS', () => {
  const ON_NETWORK = '[DEFAULT]\nauth_strategy = http_basic\n[api]\nhost_ip = 192.0.2.1\n'

  it('is warned of on a network, in health as well, and not on loopback', () => {
    const plain = read(ON_NETWORK)
    const warning =
      '[api] enable_ssl_api is False, and host_ip is 192.0.2.1: passwords cross that network in plain http. Set enable_ssl_api = True, unless a proxy on this box speaks https.'

    assert.equal(warningOfApi(plain), warning)
    assert.deepEqual(apiHealth(plain), { healthy: true, message: warning })
    assert.equal(warningOfApi(read(`${ON_NETWORK}enable_ssl_api = True`)), undefined)
    assert.equal(warningOfApi(read('[DEFAULT]\nauth_strategy = http_basic')), undefined)
  })
})

describe('options of the API', () => {
  it('are refused when a role, a host or a certificate is none', () => {
    assert.deepEqual(problemsOfApi(read('[api]\nroles = a:root\nallowed_hosts = box:6385')), [
      '[api] roles has "a:root": expected NAME:ROLE, the role one of admin, operator, observer.',
      '[api] allowed_hosts has "box:6385": expected a host name or an address, without a port.',
    ])
    assert.deepEqual(problemsOfApi(read('[api]\nenable_ssl_api = True\n[ssl]\ncert_file = /nowhere.crt')), [
      '[ssl] key_file is not set: TLS needs cert_file and key_file; for plain http set neither.',
    ])
  })

  it('name the hosts that are this box', () => {
    const isOwn = ownHostsOf(read('[api]\nallowed_hosts = proxy.example\npublic_endpoint = https://api.example:443/x'))

    for (const host of ['box', '192.0.2.1', 'localhost', '::1', 'proxy.example', 'api.example'])
      assert.ok(isOwn(host), host)
    assert.ok(!isOwn('evil.example'))
  })
})
