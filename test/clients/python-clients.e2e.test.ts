/** Clients of Ironic as they come from PyPI, against an appliance whose nodes are records. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { startBox } from '../attacks/box.ts'
import { startSession } from './baremetal.ts'
import { scenario } from './baremetal-scenario.ts'
import { FAKE_INTERFACES } from './fake-interfaces.ts'
import { counts, ensurePython, failures, runSuite } from './python-suite.ts'

const PACKAGES = 'clients.txt'
/** Of openstacksdk 4.22.0. */
const TESTS = 96
/** Nearly all of its time a test sleeps between two looks at a node. */
const JOBS = 12
const DEADLINE_S = 300
const TEST_DEADLINE_S = '120'

/** They ask for clouds by these names. */
const CLOUDS = ['devstack-admin', 'devstack', 'devstack-alt', 'devstack-system-admin']
const NOT_HERE = ['compute', 'image', 'network', 'identity', 'block_storage', 'object_store']

/** clouds.yaml, which may be JSON. */
const cloudsAt = (api: string) => {
  const cloud = {
    ...{ auth_type: 'none', auth: { endpoint: api }, baremetal_endpoint_override: api, region_name: 'rack' },
    ...Object.fromEntries(NOT_HERE.map((service) => [`has_${service}`, false])),
  }
  return JSON.stringify({ clouds: Object.fromEntries(CLOUDS.map((name) => [name, cloud])) })
}

describe("openstacksdk's functional tests for bare metal", () => {
  it('all pass', async (t) => {
    const python = await ensurePython(PACKAGES, t.signal)
    const box = await startBox(t, FAKE_INTERFACES)
    const clouds = join(box.state_path, 'clouds.yaml')
    await writeFile(clouds, cloudsAt(box.api))

    const env = { OS_CLIENT_CONFIG_FILE: clouds, OS_TEST_TIMEOUT: TEST_DEADLINE_S, OS_LOG_CAPTURE: '1' }
    const packages = ['openstack.tests.functional.baremetal']
    const told = await runSuite({ python, packages, env, jobs: JOBS, timeout_s: DEADLINE_S }, t.signal)

    assert.equal(failures(told), '')
    assert.deepEqual(counts(told), { passed: TESTS, failed: 0, skipped: 0 })
  })
})

/** With fakes they do nothing, or answer what no driver of records has. */
const NOT_RUN = ['node boot mode set', 'node inject nmi', 'node secure boot off', 'node secure boot on']

describe('the baremetal client', () => {
  it('keeps a rack, by each command that it has', async (t) => {
    const python = await ensurePython(PACKAGES, t.signal)
    const box = await startBox(t, FAKE_INTERFACES)
    const client = startSession(t, python, box.api)

    await scenario(client.run)

    const all = await client.commands()
    const left = all.filter((command) => !client.ran.some((ran) => `${ran} `.startsWith(`${command} `)))
    assert.deepEqual(left, NOT_RUN)
  })
})
