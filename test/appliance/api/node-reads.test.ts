import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { enrolled, openRig } from './rig.ts'

async function withNode(t: TestContext) {
  const rig = await openRig(t)
  const { uuid } = await enrolled(rig.ask, { name: 'n1' })
  return { ...rig, uuid, path: `/v1/nodes/${uuid}` }
}

describe('traits of a node', () => {
  it('are added one by one, replaced, and removed', async (t) => {
    const { ask, path } = await withNode(t)
    const traits = async () => (await ask('GET', `${path}/traits`)).body.traits

    assert.equal((await ask('PUT', `${path}/traits/CUSTOM_GPU`)).status, 204)
    assert.equal((await ask('PUT', `${path}/traits/HW_CPU_X86_VMX`)).status, 204)
    assert.equal((await ask('PUT', `${path}/traits/CUSTOM_GPU`)).status, 204)
    assert.deepEqual(await traits(), ['CUSTOM_GPU', 'HW_CPU_X86_VMX'])

    assert.equal((await ask('DELETE', `${path}/traits/CUSTOM_GPU`)).status, 204)
    assert.deepEqual(await traits(), ['HW_CPU_X86_VMX'])

    assert.equal((await ask('PUT', `${path}/traits`, { traits: ['CUSTOM_B', 'CUSTOM_A'] })).status, 204)
    assert.deepEqual(await traits(), ['CUSTOM_A', 'CUSTOM_B'])

    assert.equal((await ask('DELETE', `${path}/traits`)).status, 204)
    assert.deepEqual(await traits(), [])
  })

  it('are checked', async (t) => {
    const { ask, path, uuid, store } = await withNode(t)
    const many = Array.from({ length: 51 }, (_, index) => `CUSTOM_${index}`)
    const refusal = async (method: string, below: string, body?: unknown) => {
      const { status, fault } = await ask(method, `${path}/${below}`, body)
      return `${status} ${fault}`
    }

    assert.equal(
      await refusal('PUT', 'traits/gpu'),
      "400 Schema error for trait: it is 'gpu': expected a standard trait, or CUSTOM_ and upper case letters, digits, underscores",
    )
    assert.match(await refusal('PUT', 'traits/HW_CPU_X86_WARP_DRIVE'), /^400 .*expected a standard trait/)
    assert.match(await refusal('PUT', 'traits/CUSTOM_'), /^400 /)
    assert.match(await refusal('PUT', 'traits', { traits: ['CUSTOM_A', 'custom'] }), /^400 .* traits\/1 is 'custom'/)
    assert.equal(await refusal('PUT', 'traits', {}), "400 Schema error for traits: 'traits' is a required property")
    assert.match(await refusal('PUT', 'traits', { traits: many }), /^400 .* 51 exceed the maximum of 50\.$/)
    assert.equal(
      await refusal('PUT', 'traits/CUSTOM_A', { traits: [] }),
      '400 No body should be provided when adding a trait',
    )
    assert.equal(await refusal('DELETE', 'traits/CUSTOM_A'), `404 Node ${uuid} doesn't have a trait 'CUSTOM_A'`)
    assert.deepEqual(store.nodes.find(uuid).traits, [])
  })

  it('are unknown before 1.37', async (t) => {
    const { ask, path } = await withNode(t)

    const early = async (method: string, below: string) =>
      (await ask(method, `${path}/${below}`, undefined, { version: '1.36' })).status

    assert.deepEqual(
      [await early('GET', 'traits'), await early('PUT', 'traits/CUSTOM_A'), await early('DELETE', 'traits')],
      [406, 405, 404],
    )
  })
})

describe('what else is read of a node', () => {
  const empty = [
    ['vifs', { vifs: [] }],
    ['history', { history: [] }],
    ['bios', { bios: [] }],
    ['firmware', { firmware: [] }],
    ['portgroups', { portgroups: [] }],
    ['volume/connectors', { connectors: [] }],
    ['volume/targets', { targets: [] }],
    ['vendor_passthru/methods', {}],
  ] as const
  it('is there, and empty, where this appliance keeps none', async (t) => {
    const { ask, path } = await withNode(t)

    for (const [below, expected] of empty) {
      const { status, body } = await ask('GET', `${path}/${below}`)

      assert.deepEqual([status, body], [200, expected], below)
    }
  })

  const absent = ['inventory', 'allocation', 'history/1', 'bios/boot_mode']
  it('is 404 where there would be one thing', async (t) => {
    const { ask, path } = await withNode(t)

    for (const below of absent) assert.equal((await ask('GET', `${path}/${below}`)).status, 404, below)
  })

  it('is unknown before the version that brought it', async (t) => {
    const { ask, path } = await withNode(t)
    const since = { vifs: 28, history: 78, bios: 40, firmware: 86, children: 83, 'volume/targets': 32 }

    for (const [below, minor] of Object.entries(since)) {
      const before = await ask('GET', `${path}/${below}`, undefined, { version: `1.${minor - 1}` })
      const now = await ask('GET', `${path}/${below}`, undefined, { version: `1.${minor}` })

      assert.deepEqual([before.status, now.status], [404, 200], below)
    }
  })

  it('tells the children of a node', async (t) => {
    const { ask, path } = await withNode(t)
    const child = await enrolled(ask, { parent_node: 'n1' })

    assert.deepEqual((await ask('GET', `${path}/children`)).body.children, [child.uuid])
  })

  it('takes VIFs, of which the noop network keeps none', async (t) => {
    const { ask, path } = await withNode(t)

    assert.equal((await ask('POST', `${path}/vifs`, { id: 'port-1', port_uuid: 'x' })).status, 204)
    assert.equal((await ask('DELETE', `${path}/vifs/port-1`)).status, 204)
    assert.equal((await ask('POST', `${path}/vifs`, {})).fault, "Schema error for vif: 'id' is a required property")
  })
})
