/** The API tests of Ironic's tempest plugin, as they come from PyPI, against an appliance behind a bit of keystone. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { startBox } from '../attacks/box.ts'
import { FAKE_AND_IPMI } from './fake-interfaces.ts'
import { startKeystone } from './keystone.ts'
import { counts, ensurePython, failures, runSuite } from './python-suite.ts'

/** Of 3.2.0, which tempest.txt pins; a class that is skipped counts once. */
const TESTS = 386
const JOBS = 6
const DEADLINE_S = 1_200
/** What is not here, in tempest's words. */
const SKIPS = [
  'Neutron is not enabled.',
  'The fake-graphical console interface is not enabled.',
  'These tests rely on fake-graphical beingincluded in enabled_console_interfaces',
]

/** A class takes two for itself while it runs. */
const accounts = Array.from({ length: JOBS * 2 }, (_, index) => [
  { ...accountOf(`admin${index}`), project_name: `project${index}`, project_domain_name: 'Default' },
  { ...accountOf(`system${index}`), system: 'all' },
]).flat()
function accountOf(username: string) {
  return { username, user_domain_name: 'Default', password: 'secret', roles: ['admin'], types: ['admin'] }
}

const configOf = (folder: string, keystone: string) => `
[DEFAULT]
use_stderr = false
log_file = ${folder}/tempest.log
[oslo_concurrency]
lock_path = ${folder}/locks
[auth]
use_dynamic_credentials = false
test_accounts_file = ${folder}/accounts.yaml
[identity]
uri_v3 = ${keystone}
auth_version = v3
region = RegionOne
[identity-feature-enabled]
api_v2 = false
[service_available]
ironic = true
nova = false
neutron = false
glance = false
cinder = false
swift = false
[enforce_scope]
ironic = false
[baremetal]
driver = fake-hardware
`

describe("tempest's tests.api.admin of Ironic's plugin", () => {
  it('all pass, but for those of services and consoles that are not here', async (t) => {
    const python = await ensurePython('tempest.txt', t.signal)
    const box = await startBox(t, FAKE_AND_IPMI)
    const keystone = await startKeystone(t, box.api)
    const folder = join(box.state_path, 'tempest')
    await mkdir(folder)
    await writeFile(join(folder, 'tempest.conf'), configOf(folder, keystone))
    // YAML may be JSON.
    await writeFile(join(folder, 'accounts.yaml'), JSON.stringify(accounts))

    const env = { TEMPEST_CONFIG_DIR: folder, TEMPEST_CONFIG: 'tempest.conf', OS_TEST_TIMEOUT: '300' }
    const packages = ['ironic_tempest_plugin.tests.api.admin']
    const told = await runSuite({ python, packages, env, jobs: JOBS, timeout_s: DEADLINE_S }, t.signal)

    assert.equal(failures(told), '')
    assert.deepEqual(
      [...new Set(told.flatMap(({ outcome, reason }) => (outcome === 'skipped' ? [reason] : [])))].sort(),
      SKIPS,
    )
    assert.equal(counts(told).passed, TESTS)
  })
})
