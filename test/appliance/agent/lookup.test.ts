/** Lookup: which node is told to whom. A stranger learns nothing: whatever is wrong, the answer is the same. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { agentConfig, findForLookup, type LookupQuery } from '../../../appliance/agent/lookup.ts'
import type { ProvisionState } from '../../../appliance/records/kinds/node.ts'
import { openAt, someNode, somePort, stateFolder } from '../records/state-folder.ts'

const FIRST = '1be26c0b-03f2-4d2e-ae87-c02d7f33c123'
const SECOND = '2be26c0b-03f2-4d2e-ae87-c02d7f33c123'
const NOT_FOUND = { name: 'NotFound', code: 404, message: 'Resource could not be found.' }

async function rack(t: TestContext, provision_state: ProvisionState = 'wait call-back') {
  const store = await openAt(t, stateFolder(t))
  for (const uuid of [FIRST, SECOND]) await store.nodes.create(someNode({ uuid, provision_state }))
  await store.ports.create(somePort(FIRST, '52:54:00:00:00:01'))
  await store.ports.create(somePort(FIRST, '52:54:00:00:00:02'))
  await store.ports.create(somePort(SECOND, '52:54:00:00:00:03'))
  return (query: LookupQuery, restrict_lookup = true) => findForLookup(store, query, { restrict_lookup }).uuid
}

describe('lookup', () => {
  it('finds the node by any of its MACs, in any spelling, strange ones passed over', async (t) => {
    const find = await rack(t)

    assert.equal(find({ addresses: ['52:54:00:00:00:02'] }), FIRST)
    assert.equal(find({ addresses: ['52:54:00:00:00:01', '52:54:00:00:00:02'] }), FIRST)
    assert.equal(find({ addresses: [' 52-54-00-00-00-03 ', 'a0:00:02:20:fe:80:00:00:00:00'] }), SECOND)
    assert.equal(find({ addresses: ['aa:bb:cc:dd:ee:ff', '52:54:00:00:00:01'] }), FIRST)
  })

  it('finds the node by its uuid, whatever the MACs', async (t) => {
    const find = await rack(t)

    assert.equal(find({ addresses: [], node_uuid: SECOND }), SECOND)
    assert.equal(find({ addresses: ['52:54:00:00:00:01'], node_uuid: SECOND }), SECOND)
  })

  it('finds none when the MACs are of two nodes, of no node, or the uuid is of none', async (t) => {
    const find = await rack(t)

    assert.throws(() => find({ addresses: ['52:54:00:00:00:01', '52:54:00:00:00:03'] }), NOT_FOUND)
    assert.throws(() => find({ addresses: ['aa:bb:cc:dd:ee:ff'] }), NOT_FOUND)
    assert.throws(() => find({ addresses: [], node_uuid: '3be26c0b-03f2-4d2e-ae87-c02d7f33c123' }), NOT_FOUND)
    assert.throws(() => find({ addresses: [], node_uuid: '../../etc' }), NOT_FOUND)
  })

  it('needs a MAC or a uuid', async (t) => {
    const find = await rack(t)

    for (const addresses of [[], ['nonsense'], ['']]) {
      assert.throws(() => find({ addresses }), {
        code: 400,
        message: "At least one of 'addresses' and 'node_uuid' parameters is required",
      })
    }
  })

  for (const state of [
    'deploying',
    'wait call-back',
    'cleaning',
    'clean wait',
    'inspecting',
    'inspect wait',
    'rescuing',
    'rescue wait',
    'service wait',
  ] as const) {
    it(`answers for a node that is ${state}`, async (t) => {
      assert.equal((await rack(t, state))({ addresses: [], node_uuid: FIRST }), FIRST)
    })
  }

  for (const state of ['enroll', 'manageable', 'available', 'active', 'deploy failed', 'deleting', 'error'] as const) {
    it(`answers for a node that is ${state} as if it did not exist, unless [api] restrict_lookup is off`, async (t) => {
      const find = await rack(t, state)

      assert.throws(() => find({ addresses: [], node_uuid: FIRST }), NOT_FOUND)
      assert.equal(find({ addresses: [], node_uuid: FIRST }, false), FIRST)
    })
  }
})

describe('the configuration that lookup gives', () => {
  it('has every key that ironic-python-agent reads, and asks our agent for the facts of its layers', () => {
    const config = agentConfig({
      agent_token: 't',
      heartbeat_timeout_s: 300,
      allow_md5_checksum: true,
      permitted_image_formats: ['raw', 'qcow2'],
    })

    assert.deepEqual(config, {
      heartbeat_timeout: 300,
      agent_token: 't',
      agent_token_required: true,
      agent_md5_checksum_enable: true,
      disable_deep_image_inspection: false,
      permitted_image_formats: ['raw', 'qcow2'],
      agent_skip_bmc_detect: false,
      enable_bios_bootloader_install: false,
      tls_min_version: '1.2',
      tls_cipher_suites: null,
      metrics: {
        backend: 'noop',
        prepend_host: false,
        prepend_uuid: false,
        prepend_host_reverse: true,
        global_prefix: null,
      },
      metrics_statsd: { statsd_host: 'localhost', statsd_port: 8125 },
      agent_containers: {
        allow_arbitrary_containers: false,
        allowed_containers: [],
        container_steps_file: '/etc/ironic-python-agent.d/mysteps.yaml',
        runner: 'podman',
        pull_options: '--tls-verify=false',
        run_options: '--rm --network=host --tls-verify=false',
      },
      rackstrap_layer_facts: true,
    })
  })
})
