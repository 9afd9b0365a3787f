/** Heartbeat: only the agent that was given the token at lookup may report, and only from where it reported before. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkHeartbeat, type Heartbeat, heartbeatAllowed, recordOf } from '../../../appliance/agent/heartbeat.ts'
import type { Node, ProvisionState } from '../../../appliance/records/kinds/node.ts'
import { makeCertificate } from '../../../pxe/ramdisk/agent/protocol/certificate.ts'
import { nodeOnPaper } from '../hardware/node-on-paper.ts'

const { certificate } = makeCertificate('192.0.2.1', new Date(), 'P-256')
const { certificate: other } = makeCertificate('192.0.2.1', new Date(), 'P-256')
const good: Heartbeat = {
  callback_url: 'https://192.0.2.1:9999',
  agent_token: 'right',
  agent_version: '13.0.0',
  agent_verify_ca: certificate,
}

function check(change: Partial<Heartbeat>, known: Node['driver_internal_info'] = {}, require_tls = true): void {
  const node = nodeOnPaper({ driver_internal_info: { agent_secret_token: 'right', ...known } })
  checkHeartbeat(node, { ...good, ...change }, { require_tls })
}
const refused = (message: string | RegExp) => ({ name: 'InvalidParameterValue', code: 400, message })

describe('a heartbeat', () => {
  it('is taken from the agent that has the token, the first time and again', () => {
    check({})
    check({}, { agent_url: good.callback_url, agent_verify_ca: certificate })
    check({ agent_verify_ca: `${certificate}\n` }, { agent_verify_ca: certificate })
    check({ agent_verify_ca: undefined })
  })

  for (const [what, agent_token, agent_secret_token] of [
    ['another token', 'wrong', 'right'],
    ['a token, when none was given at lookup', 'right', undefined],
    ['an empty token, when none was given at lookup', '', ''],
    ['the mask that a second lookup gives', '******', 'right'],
  ] as const) {
    it(`with ${what} is refused`, () => {
      assert.throws(
        () => check({ agent_token }, { agent_secret_token }),
        refused('Invalid or missing agent token received.'),
      )
    })
  }

  it('without a token is refused', () => {
    assert.throws(() => check({ agent_token: undefined }), refused('Agent token is required for heartbeat processing.'))
  })

  it('from another address than the one before is refused', () => {
    assert.throws(
      () => check({ callback_url: 'https://192.0.2.66:9999' }, { agent_url: good.callback_url }),
      refused('Detected change in ramdisk provided "callback_url"'),
    )
  })

  for (const callback_url of [
    'nonsense',
    '//192.0.2.1',
    'file:///etc/shadow',
    'ftp://192.0.2.1',
    'https://user:password@192.0.2.1',
    'https://192.0.2.1/?query',
    'https://192.0.2.1/#part',
    `https://192.0.2.1/${'x'.repeat(2048)}`,
  ]) {
    it(`with the callback_url ${callback_url.slice(0, 40)} is refused`, () => {
      assert.throws(
        () => check({ callback_url }),
        refused('An issue with the supplied "callback_url" has been detected.'),
      )
    })
  }

  it('on plain http is refused while [agent] require_tls is on, and taken when it is off', () => {
    const callback_url = 'http://192.0.2.1:9999'

    assert.throws(() => check({ callback_url }), refused('TLS is required by configuration'))
    check({ callback_url }, {}, false)
  })

  it('of an installer has no address, no version, and one of three statuses', () => {
    const installer = { callback_url: '', agent_version: undefined, agent_verify_ca: undefined }

    for (const agent_status of ['start', 'end', 'error']) check({ ...installer, agent_status })
    assert.throws(
      () => check({ ...installer, agent_status: 'done' }),
      refused('Agent status is invalid. Valid states are start,end,error.'),
    )
  })

  it('of an agent names its version', () => {
    assert.throws(
      () => check({ agent_version: undefined }),
      refused('Agent did not transmit a version, and a version is required. Please update the agent being used.'),
    )
  })

  it('with another certificate than the one before, or with none that can be read, is refused', () => {
    assert.throws(
      () => check({ agent_verify_ca: other }, { agent_verify_ca: certificate }),
      refused('Detected change in ramdisk provided "agent_verify_ca"'),
    )
    assert.throws(() => check({ agent_verify_ca: 'x' }), refused(/^agent_verify_ca is not a certificate in PEM: /))
    assert.throws(
      () => check({ agent_verify_ca: 'x'.repeat(40_000) }),
      refused('agent_verify_ca is not a certificate in PEM: it is longer than 32768 bytes'),
    )
  })

  it('tells what the layers of the ramdisk said, in one word for each boot', () => {
    const ssh = { ssh_host_keys: ['ssh-ed25519 AAAA'] }
    const failed = { error: 'it took more than 60 s' }

    check({ layer_facts: { ssh } })
    check({ layer_facts: { ssh, other: {} } }, { agent_layer_facts: { ssh } })
    check({ layer_facts: { constructor: {} } })
    check({ layer_facts: {} }, { agent_layer_facts: { ssh } })
    check({ layer_facts: { ssh: failed } }, { agent_layer_facts: { ssh } })
    check({ layer_facts: { ssh } }, { agent_layer_facts: { ssh: failed } })
    assert.throws(
      () => check({ layer_facts: { ssh: { ssh_host_keys: ['ssh-ed25519 BBBB'] } } }, { agent_layer_facts: { ssh } }),
      refused('Detected change in ramdisk provided "layer_facts" of layer ssh'),
    )
  })

  it('with facts of another form, or too many, is refused', () => {
    const shape = refused('layer_facts is not an object with an object for each layer.')
    const many = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`l${index}`, {}]))

    assert.throws(() => check({ layer_facts: { ssh: 'ssh-ed25519 AAAA' } }), shape)
    assert.throws(() => check({ layer_facts: { ssh: ['a'] } }), shape)
    assert.throws(() => check({ layer_facts: { '../ssh': {} } }), shape)
    assert.throws(() => check({ layer_facts: JSON.parse('{"__proto__": {}}') }), shape)
    assert.throws(
      () => check({ layer_facts: many }),
      refused('layer_facts of 17 layers have 144 bytes: at most 16 layers and 16384 bytes are taken.'),
    )
    assert.throws(
      () =>
        check({ layer_facts: { b: { x: 'x'.repeat(9000) } } }, { agent_layer_facts: { a: { x: 'x'.repeat(9000) } } }),
      refused('layer_facts of 2 layers have 18027 bytes: at most 16 layers and 16384 bytes are taken.'),
    )
  })

  it('counts in states with an agent only', () => {
    const states: ProvisionState[] = ['wait call-back', 'deploying', 'clean wait', 'deploy hold']
    const others: ProvisionState[] = ['enroll', 'available', 'active', 'deploy failed', 'deleting', 'rescue']

    assert.deepEqual(
      states.map(heartbeatAllowed),
      states.map(() => true),
    )
    assert.deepEqual(
      others.map(heartbeatAllowed),
      others.map(() => false),
    )
  })
})

describe('what is kept of a heartbeat', () => {
  it('is address, time, version and certificate; never the token', () => {
    assert.deepEqual(recordOf(good, new Date('2026-01-02T03:04:05.678Z')), {
      agent_url: 'https://192.0.2.1:9999',
      agent_last_heartbeat: '2026-01-02T03:04:05.678Z',
      agent_version: '13.0.0',
      agent_verify_ca: certificate,
    })
  })

  it('is what each layer said first, and an error only until it says something', () => {
    const layer_facts = { ssh: { error: 'ended' }, other: { a: 2 } }
    const known = { ssh: { ssh_host_keys: ['a'] }, other: { error: 'late' }, third: {} }

    const kept = recordOf({ ...good, layer_facts }, new Date(), { agent_layer_facts: known })

    assert.deepEqual(kept.agent_layer_facts, { ssh: { ssh_host_keys: ['a'] }, other: { a: 2 }, third: {} })
  })

  it('is cut to size', () => {
    const long = 'x'.repeat(10_000)
    const heartbeat = { callback_url: '', agent_version: long, agent_status: 'error', agent_status_message: long }

    const kept = recordOf(heartbeat, new Date())

    assert.equal(String(kept.agent_version).length, 100)
    assert.equal(String(kept.agent_status_message).length, 2000)
    assert.equal(kept.agent_status, 'error')
  })
})
