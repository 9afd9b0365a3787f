/** A secret belongs to the address that it was given for: what a patch takes away, and what it leaves. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Caller } from '../../../appliance/access/caller.ts'
import { type Ask, asker, BASE, enrolled, type Json, openRig } from './rig.ts'

const GIVEN = {
  driver_info: { ipmi_address: '10.0.0.1', ipmi_password: 'hunter2', ipmi_hex_kg_key: '00ff', ipmi_username: 'root' },
  instance_info: {
    image_source: 'https://images.example/a.raw',
    image_pull_secret: 'hunter3',
    image_request_authorization_secret: 'hunter4',
  },
}
const add = (path: string, value: unknown) => ({ op: 'add', path, value })
const remove = (path: string) => ({ op: 'remove', path })

async function openNode(t: TestContext, caller?: Caller, given: Json = GIVEN) {
  const rig = await openRig(t)
  const { uuid } = await enrolled(rig.ask, given)
  const ask: Ask = caller ? asker((path, init) => rig.app.request(`${BASE}${path}`, init, { caller })) : rig.ask
  return {
    ...rig,
    uuid,
    async patch(...patch: Json[]) {
      const { status, text } = await ask('PATCH', `/v1/nodes/${uuid}`, patch)
      assert.equal(status, 200, text)
      const { driver_info, instance_info } = rig.store.nodes.find(uuid)
      return { ...driver_info, ...instance_info }
    },
    async shown() {
      const { body } = await rig.ask('GET', `/v1/nodes/${uuid}`)
      return body as { driver_info: Json; instance_info: Json }
    },
  }
}

/** Of those that a node was given. */
const left = (fields: Json) => Object.keys(fields).filter((name) => /password|kg_key|secret/.test(name))

describe('a patch that changes the address of a BMC', () => {
  const moves: Readonly<Record<string, Json[]>> = {
    'its host': [add('/driver_info/ipmi_address', '10.0.0.66')],
    'its port': [add('/driver_info/ipmi_port', 6230)],
    'its protocol': [add('/driver_info/ipmi_protocol_version', '1.5')],
    'a bridge': [add('/driver_info/ipmi_bridging', 'single'), add('/driver_info/ipmi_target_address', '0x20')],
    'its removal': [remove('/driver_info/ipmi_address')],
  }
  for (const [what, patch] of Object.entries(moves)) {
    it(`takes its password and its key away: ${what}`, async (t) => {
      const node = await openNode(t)

      const fields = await node.patch(...patch)

      assert.deepEqual(left(fields), ['image_pull_secret', 'image_request_authorization_secret'])
      assert.equal(fields.ipmi_username, 'root')
    })
  }

  it('takes them away from a client that sends the whole node back with what it was shown', async (t) => {
    const node = await openNode(t)
    const { driver_info } = await node.shown()

    const fields = await node.patch(add('/driver_info', { ...driver_info, ipmi_address: '10.0.0.66' }))

    assert.equal(driver_info.ipmi_password, '******')
    assert.deepEqual(left(fields), ['image_pull_secret', 'image_request_authorization_secret'])
  })

  it('takes them away when a mask follows what was given anew', async (t) => {
    const node = await openNode(t)

    const fields = await node.patch(
      add('/driver_info/ipmi_address', '10.0.0.66'),
      add('/driver_info/ipmi_password', 'guess'),
      add('/driver_info/ipmi_password', '******'),
    )

    assert.equal(fields.ipmi_password, undefined)
  })

  it('leaves what it gives anew, alone or in the table', async (t) => {
    const node = await openNode(t)

    const alone = await node.patch(add('/driver_info/ipmi_address', '10.0.0.2'), add('/driver_info/ipmi_password', 'b'))
    const { driver_info } = await node.shown()
    const inTable = await node.patch(
      add('/driver_info', { ...driver_info, ipmi_address: '10.0.0.3', ipmi_password: 'c', ipmi_hex_kg_key: '' }),
    )

    assert.deepEqual([alone.ipmi_password, alone.ipmi_hex_kg_key], ['b', undefined])
    assert.deepEqual([inTable.ipmi_password, inTable.ipmi_hex_kg_key], ['c', ''])
  })

  it('leaves them while the place stays the same, however it is written', async (t) => {
    const named = { ...GIVEN.driver_info, ipmi_address: 'BMC-3.example' }
    const sixth = { ...GIVEN.driver_info, ipmi_address: 'fd00::3', ipmi_port: '623' }
    const same: [Json, Json[]][] = [
      [GIVEN.driver_info, [add('/driver_info/ipmi_port', 623)]],
      [GIVEN.driver_info, [add('/driver_info/ipmi_port', '623')]],
      [sixth, [add('/driver_info/ipmi_port', 623)]],
      [sixth, [remove('/driver_info/ipmi_port')]],
      [sixth, [add('/driver_info/ipmi_address', 'FD00:0:0::3')]],
      [named, [add('/driver_info/ipmi_address', 'bmc-3.example')]],
      [GIVEN.driver_info, [add('/driver_info/ipmi_protocol_version', '2.0')]],
      [GIVEN.driver_info, [add('/driver_info/ipmi_bridging', 'no')]],
    ]

    for (const [driver_info, patch] of same) {
      const node = await openNode(t, undefined, { ...GIVEN, driver_info })

      assert.equal((await node.patch(...patch)).ipmi_password, 'hunter2', JSON.stringify(patch))
    }
  })

  it('takes them away with another zone or another default, and has nothing to take where one is empty', async (t) => {
    const driver_info = { ipmi_address: 'fe80::1%eth0', ipmi_port: 6230, ipmi_password: 'hunter2', ipmi_hex_kg_key: '' }
    const given = { ...GIVEN, driver_info }
    const moves = [add('/driver_info/ipmi_address', 'fe80::1%eth1'), remove('/driver_info/ipmi_port')]

    for (const move of moves) {
      const { ipmi_password, ipmi_hex_kg_key } = await (await openNode(t, undefined, given)).patch(move)

      assert.deepEqual([ipmi_password, ipmi_hex_kg_key], [undefined, ''], JSON.stringify(move))
    }
  })

  it('says so in the log, and in validate until the secret is given', async (t) => {
    const { patch, ask, uuid, lines } = await openNode(t)
    const reason = async () => {
      const { body } = await ask('GET', `/v1/nodes/${uuid}/validate`)
      return (body.power as Json).reason
    }

    await patch(add('/driver_info/ipmi_address', '10.0.0.66'), add('/driver_info/ipmi_hex_kg_key', ''))

    assert.deepEqual(
      lines
        .filter(({ level }) => level === 'warn')
        .map(({ message, node, field, address }) => ({ message, node, field, address })),
      [
        {
          message: 'a secret went with the address that it was given for',
          node: uuid,
          field: 'driver_info/ipmi_password',
          address: 'driver_info/ipmi_address',
        },
      ],
    )
    assert.equal(
      await reason(),
      `driver_info/ipmi_password of node ${uuid} was given for another driver_info/ipmi_address, and went when that changed. ` +
        'Give it anew, or an empty one when there is none.',
    )
    await patch(add('/driver_info/ipmi_password', 'new'))
    assert.equal(await reason(), undefined)
  })

  it('keeps them for an administrator who logged in or asks over the socket, and for nobody else', async (t) => {
    const callers: Caller[] = [
      { role: 'admin', user: 'ann', address: '10.0.0.9', via: 'tcp' },
      { role: 'admin', address: '', via: 'socket' },
      { role: 'operator', user: 'olaf', address: '10.0.0.9', via: 'tcp' },
      { role: 'admin', address: '10.0.0.9', via: 'tcp' },
    ]
    const kept: unknown[] = []

    for (const caller of callers) {
      const { patch } = await openNode(t, caller)
      kept.push((await patch(add('/driver_info/ipmi_address', '10.0.0.66'))).ipmi_password)
    }

    assert.deepEqual(kept, ['hunter2', 'hunter2', undefined, undefined])
  })
})

describe('a patch that changes where an image is', () => {
  const source = (image_source: string) => add('/instance_info/image_source', image_source)

  it('takes its secrets away with another host, scheme, port or proxy, however it is written', async (t) => {
    const moves = [
      source('https://evil.example/a.raw'),
      source('http://images.example/a.raw'),
      source('https://images.example:8443/a.raw'),
      source('https://evil.example\\@images.example/a.raw'),
      source('https://images.example@evil.example/a.raw'),
      source('oci://images.example/a'),
      add('/driver_info/image_http_proxy', 'http://evil.example:3128'),
    ]

    for (const move of moves) {
      const { patch } = await openNode(t)
      assert.deepEqual(left(await patch(move)), ['ipmi_password', 'ipmi_hex_kg_key'], JSON.stringify(move))
    }
  })

  it('leaves them with another image of the same host, and those that were given before any address', async (t) => {
    const { patch } = await openNode(t)
    const { image_source: _none, ...secrets } = GIVEN.instance_info
    const early = await openNode(t, undefined, { instance_info: secrets })

    const same = await patch(source('https://IMAGES.example:443/b.raw'))
    const first = await early.patch(source('https://images.example/a.raw'))

    assert.deepEqual([same.image_pull_secret, first.image_pull_secret], ['hunter3', 'hunter3'])
  })
})

describe('a secret that outlived its instance', () => {
  const OLD = 'oci://registry.example/app:1'
  async function openEmptied(t: TestContext) {
    const given = { driver_info: { image_pull_secret: 'hunter5', image_no_proxy: 'x' } }
    const node = await openNode(t, undefined, given)
    // As an undeploy leaves it.
    await node.store.nodes.update(node.uuid, {
      driver_internal_info: { bound_to: { 'driver_info/image_pull_secret': OLD } },
    })
    return node
  }
  const secretAfter = async (t: TestContext, ...patches: Json[][]) => {
    const { patch } = await openEmptied(t)
    let fields: Json = {}
    for (const one of patches) fields = await patch(...one)
    return fields.image_pull_secret
  }
  const source = (value: string) => add('/instance_info/image_source', value)

  it('goes to the registry that it was given for, and to no other', async (t) => {
    const same = await secretAfter(t, [source('oci://registry.example/app:2')])
    const other = await secretAfter(t, [source('oci://evil.example/app:1')])
    const late = await secretAfter(t, [add('/extra/x', 1)], [source('oci://evil.example/app:1')])
    const proxied = await secretAfter(t, [add('/driver_info/image_http_proxy', 'http://evil.example')], [source(OLD)])

    assert.deepEqual([same, other, late, proxied], ['hunter5', undefined, undefined, undefined])
  })

  it('is bound to nothing once it was given anew', async (t) => {
    const anew = add('/driver_info/image_pull_secret', 'hunter6')

    const kept = await secretAfter(t, [anew], [source('oci://other.example/app:1')])

    assert.equal(kept, 'hunter6')
  })
})

describe('a node made from what another one was shown as', () => {
  it('has no secret where a mask stands', async (t) => {
    const { ask, shown, store } = await openNode(t)
    const { driver_info } = await shown()

    const { uuid } = await enrolled(ask, { driver_info })

    assert.deepEqual(store.nodes.find(uuid).driver_info, { ipmi_address: '10.0.0.1', ipmi_username: 'root' })
  })
})

describe('a value that is nested deeper than what can be shown', () => {
  it('is refused in words, when a node is made and when it is patched', async (t) => {
    const nested = (levels: number): unknown => (levels === 0 ? 'x' : { a: nested(levels - 1) })
    const { ask, uuid } = await openNode(t)

    const fits = await ask('PATCH', `/v1/nodes/${uuid}`, [add('/extra', nested(8))])
    const patched = await ask('PATCH', `/v1/nodes/${uuid}`, [add('/extra/a/a', nested(7))])
    const made = await ask('POST', '/v1/nodes', { driver: 'ipmi', driver_info: nested(9) })

    assert.equal(fits.status, 200)
    assert.deepEqual(
      [patched, made].map(({ status, fault }) => [status, fault]),
      [
        [400, 'Schema error for patch of extra: it is an object: expected at most 8 levels of objects and lists in it'],
        [400, 'Schema error for node: driver_info is an object: expected at most 8 levels of objects and lists in it'],
      ],
    )
  })
})
