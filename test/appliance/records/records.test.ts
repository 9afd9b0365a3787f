/** What the store promises about records: who may be created, what an update sees, what a restart brings back. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openAt, someNode, somePort, stateFolder } from './state-folder.ts'

const UUID = '1be26c0b-03f2-4d2e-ae87-c02d7f33c123'
const OTHER = '2be26c0b-03f2-4d2e-ae87-c02d7f33c123'

describe('a record', () => {
  it('comes back after a restart exactly as it was answered, in the order of creation', async (t) => {
    const state_path = stateFolder(t)
    const store = await openAt(t, state_path)
    const nodes = await Promise.all(
      ['c', 'a', 'b'].map((name) =>
        store.nodes.create(someNode({ name, extra: { text: 'ü\u2028\n"', list: [1, null] } })),
      ),
    )
    const port = await store.ports.create(somePort(nodes[0]?.uuid ?? '', '52:54:00:00:00:01'))
    const updated = await store.nodes.update(nodes[1]?.uuid ?? '', { description: 'second' })
    await store.close()

    const again = await openAt(t, state_path)

    assert.deepEqual([...again.nodes.all()], [nodes[0], updated, nodes[2]])
    assert.deepEqual([...again.ports.all()], [port])
    assert.deepEqual(again.repairs, [])
  })

  it('is frozen to the bottom, and no reference of whoever gave it', async (t) => {
    const { nodes } = await openAt(t, stateFolder(t))
    const given = someNode({ uuid: UUID, extra: { deep: { list: [1] } } })

    const node = await nodes.create(given)
    const deep = given.extra.deep as { list: number[] }
    deep.list.push(2)

    assert.deepEqual(nodes.get(UUID)?.extra, { deep: { list: [1] } })
    assert.throws(() => (node.extra.deep as { list: number[] }).list.push(3), TypeError)
  })

  it('shares what is empty in it with all others', async (t) => {
    const { nodes } = await openAt(t, stateFolder(t))
    const [first, second] = [await nodes.create(someNode({ extra: { none: [] } })), await nodes.create(someNode())]

    assert.equal(first.raid_config, second.network_data)
    assert.equal(first.extra.none, second.traits)
    assert.deepEqual([first.raid_config, first.traits], [{}, []])
  })

  it('is found by its uuid in any case, and by its name when that is no uuid', async (t) => {
    const { nodes } = await openAt(t, stateFolder(t))
    const node = await nodes.create(someNode({ uuid: UUID.toUpperCase(), name: 'rack-1', instance_uuid: OTHER }))

    assert.equal(node.uuid, UUID)
    assert.equal(nodes.find(UUID.toUpperCase()), node)
    assert.equal(nodes.find('rack-1'), node)
    assert.equal(nodes.by('instance_uuid', OTHER), node)
    assert.throws(() => nodes.find('rack-2'), { code: 404, message: 'Node rack-2 could not be found.' })
    assert.throws(() => nodes.find(OTHER), { code: 404, message: `Node ${OTHER} could not be found.` })
  })

  it('is not seen before it is durable', async (t) => {
    const { nodes } = await openAt(t, stateFolder(t))

    const created = nodes.create(someNode({ uuid: UUID }))
    const before = nodes.get(UUID)
    await created

    assert.equal(before, undefined)
    assert.ok(nodes.get(UUID))
  })

  it('whose uuid could name another file is refused', async (t) => {
    const { nodes } = await openAt(t, stateFolder(t))

    for (const uuid of ['../../etc/passwd', '', 'abc', `${UUID}/x`, null as unknown as string]) {
      await assert.rejects(nodes.create(someNode({ uuid })), {
        code: 400,
        message: `Expected a UUID but received ${uuid}.`,
      })
    }
    assert.equal(nodes.size, 0)
  })

  it('nested without an end is refused before it exhausts anybody', async (t) => {
    const { nodes } = await openAt(t, stateFolder(t))
    const extra = JSON.parse(`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`)

    await assert.rejects(nodes.create(someNode({ extra })), {
      code: 400,
      message: 'Values may be nested at most 64 levels deep.',
    })
  })

  it('may hold any key that JSON can', async (t) => {
    const state_path = stateFolder(t)
    const store = await openAt(t, state_path)
    const extra = JSON.parse('{"__proto__": {"password": "p"}, "constructor": 1, "": 2}')
    await store.nodes.create(someNode({ uuid: UUID, extra }))
    await store.close()

    const { nodes } = await openAt(t, state_path)

    assert.equal(JSON.stringify(nodes.get(UUID)?.extra), JSON.stringify(extra))
  })
})

describe('a unique field', () => {
  it('is refused to a second record in words of Ironic', async (t) => {
    const { nodes, ports } = await openAt(t, stateFolder(t))
    await nodes.create(someNode({ uuid: UUID, name: 'n', instance_uuid: OTHER }))
    await ports.create({ ...somePort(UUID, '52:54:00:AA:00:01'), uuid: UUID, name: 'p' })
    const conflict = (message: string) => ({ name: 'Conflict', code: 409, message })

    await assert.rejects(nodes.create(someNode({ uuid: UUID })), conflict(`A node with UUID ${UUID} already exists.`))
    await assert.rejects(nodes.create(someNode({ name: 'n' })), conflict('A node with name n already exists.'))
    await assert.rejects(
      nodes.create(someNode({ uuid: OTHER, instance_uuid: OTHER })),
      conflict(
        `Instance ${OTHER} is already associated with a node, it cannot be associated with this other node ${OTHER}`,
      ),
    )
    await assert.rejects(
      ports.create(somePort(UUID, '52:54:00:aa:00:01')),
      conflict('A port with MAC address 52:54:00:aa:00:01 already exists.'),
    )
  })

  it('is given to one of many who ask at once', async (t) => {
    const { nodes } = await openAt(t, stateFolder(t))

    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => nodes.create(someNode({ name: 'one' }))))

    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal(nodes.size, 1)
  })

  it('is free again once its record has given it up, or is gone', async (t) => {
    const { nodes } = await openAt(t, stateFolder(t))
    await nodes.create(someNode({ uuid: UUID, name: 'first' }))

    await nodes.update(UUID, { name: 'renamed' })
    await nodes.create(someNode({ uuid: OTHER, name: 'first' }))
    await nodes.delete(OTHER)
    await nodes.create(someNode({ uuid: OTHER, name: 'first' }))

    assert.equal(nodes.by('name', 'first')?.uuid, OTHER)
    assert.equal(nodes.by('name', 'renamed')?.uuid, UUID)
  })
})

describe('an update', () => {
  it('builds on the changes still under way, so that none is lost', async (t) => {
    const { nodes } = await openAt(t, stateFolder(t))
    await nodes.create(someNode({ uuid: UUID, extra: { count: 0 } }))

    await Promise.all(
      Array.from({ length: 50 }, () =>
        nodes.update(UUID, ({ extra }) => ({ extra: { count: Number(extra.count) + 1 } })),
      ),
    )

    assert.deepEqual(nodes.get(UUID)?.extra, { count: 50 })
  })

  it('moves updated_at, unless it is a quiet one', async (t) => {
    const { nodes } = await openAt(t, stateFolder(t))
    await nodes.create(someNode({ uuid: UUID }))

    const quiet = await nodes.update(UUID, { power_state: 'power on' }, { quiet: true })
    const loud = await nodes.update(UUID, { description: 'd' })

    assert.equal(quiet.updated_at, null)
    assert.match(loud.updated_at ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/)
  })

  it('of a record that is not there, or of its uuid, is refused', async (t) => {
    const { nodes } = await openAt(t, stateFolder(t))
    await nodes.create(someNode({ uuid: UUID }))

    await assert.rejects(nodes.update(OTHER, {}), { code: 404, message: `Node ${OTHER} could not be found.` })
    await assert.rejects(nodes.delete(OTHER), { code: 404, message: `Node ${OTHER} could not be found.` })
    await assert.rejects(nodes.update(UUID, { uuid: OTHER }), {
      code: 400,
      message: 'Cannot overwrite UUID for an existing Node.',
    })
  })

  it('that throws in its function changes nothing', async (t) => {
    const { nodes } = await openAt(t, stateFolder(t))
    const node = await nodes.create(someNode({ uuid: UUID }))
    const refuse = () => {
      throw new Error('not now')
    }

    await assert.rejects(nodes.update(UUID, refuse), { message: 'not now' })

    assert.equal(nodes.get(UUID), node)
  })
})

describe('the ports of a node', () => {
  it('follow creation, change, move and deletion', async (t) => {
    const { nodes, ports } = await openAt(t, stateFolder(t))
    for (const uuid of [UUID, OTHER]) await nodes.create(someNode({ uuid }))
    const of = (node: string) => ports.where('node_uuid', node).map(({ address }) => address)
    const first = await ports.create(somePort(UUID, '52:54:00:00:00:01'))
    const second = await ports.create(somePort(UUID, '52:54:00:00:00:02'))

    await ports.update(first.uuid, { address: '52:54:00:00:00:0A' })
    const changed = of(UUID)
    await ports.update(second.uuid, { node_uuid: OTHER })
    const moved = [of(UUID), of(OTHER)]
    await ports.delete(first.uuid)

    assert.deepEqual(changed, ['52:54:00:00:00:0a', '52:54:00:00:00:02'])
    assert.deepEqual(moved, [['52:54:00:00:00:0a'], ['52:54:00:00:00:02']])
    assert.deepEqual(of(UUID), [])
    assert.equal(ports.by('address', '52:54:00:00:00:02'.toUpperCase())?.uuid, second.uuid)
  })
})
