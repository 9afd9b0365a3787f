/** gophercloud's acceptance tests for bare metal, as the Go proxy has them, against an appliance. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { startBox } from '../attacks/box.ts'
import { cacheFolder } from '../rack/cache.ts'
import { go, goEnvironment, withoutGo } from '../rack/go.ts'
import { FAKE_AND_IPMI } from './fake-interfaces.ts'
import { startKeystone } from './keystone.ts'

const execute = promisify(execFile)
const MODULE = 'github.com/gophercloud/gophercloud/v2@v2.16.0'
const FOLDERS = ['v1', 'noauth'].map((name) => `./internal/acceptance/openstack/baremetal/${name}/`)
/** Of that version. */
const TESTS = 36
const DEADLINE_MS = 1_200_000
const OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024

/** They want these set, whatever the cloud has. */
const CLOUD = {
  ...{ OS_USERNAME: 'admin', OS_PASSWORD: 'secret', OS_PROJECT_NAME: 'admin', OS_TENANT_NAME: 'admin' },
  ...{ OS_USER_DOMAIN_ID: 'default', OS_PROJECT_DOMAIN_ID: 'default', OS_DOMAIN_NAME: 'Default' },
  ...{ OS_REGION_NAME: 'RegionOne', OS_BRANCH: 'master', OS_FLAVOR_ID: '1', OS_FLAVOR_ID_RESIZE: '2' },
  ...{ OS_IMAGE_ID: '1', OS_NETWORK_NAME: 'x', OS_EXTGW_ID: 'x', OS_TENANT_ID: '', OS_DOMAIN_ID: '' },
}

type Line = { Action: string; Package?: string; Test?: string; Output?: string }

describe("gophercloud's acceptance tests for bare metal", () => {
  it('all pass', { skip: withoutGo('GOPHERCLOUD'), timeout: 2 * DEADLINE_MS }, async (t) => {
    const box = await startBox(t, FAKE_AND_IPMI)
    const keystone = await startKeystone(t, box.api)
    const env = { ...goEnvironment(), GOPATH: join(cacheFolder(), 'gopath') }
    const options = { env, signal: t.signal, maxBuffer: OUTPUT_LIMIT_BYTES, timeout: DEADLINE_MS }
    const { stdout: module } = await execute(String(go), ['mod', 'download', '-json', MODULE], options)
    const { Dir: cwd } = JSON.parse(module) as { Dir: string }

    const told = await execute(
      String(go),
      ['test', '-mod=readonly', '-p', '1', '-json', '-count=1', '-tags', 'acceptance', ...FOLDERS],
      { ...options, cwd, env: { ...env, ...CLOUD, OS_AUTH_URL: keystone, IRONIC_ENDPOINT: `${box.api}/v1/` } },
    ).catch((error: { stdout: string; stderr: string }) => error)

    const lines = told.stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]))
    const ended = lines.filter(({ Action, Test }) => Test && ['pass', 'fail', 'skip'].includes(Action))
    const words = ({ Package, Test }: Line) =>
      lines.filter((line) => line.Package === Package && line.Test === Test).map(({ Output = '' }) => Output)
    assert.deepEqual(
      ended.filter(({ Action }) => Action !== 'pass').map((line) => `${line.Test}: ${words(line).join('')}`),
      [],
    )
    assert.equal(ended.length, TESTS, told.stderr)
  })
})
