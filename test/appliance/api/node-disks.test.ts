/** What says which disks are to be taken, and which never: read strictly when it is set. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { enrolled, openRig } from './rig.ts'

const expected = 'a list of objects of hints is expected, e.g. [{"name": "/dev/vda"}].'
const compares =
  'Root device hint "name" compares with !=, which is for numbers. Current value: != /dev/vda. Texts are compared with s==, s!=, ' +
  '<in> and <or>.'
const WRONG = [
  [
    'properties',
    'skip_block_devices',
    { name: '/dev/vda' },
    `skip_block_devices is {"name":"/dev/vda"}, and ${expected}`,
  ],
  ['properties', 'skip_block_devices', ['/dev/vda'], `skip_block_devices[0] is "/dev/vda", and ${expected}`],
  ['properties', 'skip_block_devices', '/dev/vda', `skip_block_devices is "/dev/vda", and ${expected}`],
  ['properties', 'skip_block_devices', [{}], `skip_block_devices[0] is {}, and ${expected}`],
  [
    'properties',
    'skip_block_devices',
    [{ name: '!= /dev/vda' }],
    `skip_block_devices[0] is {"name":"!= /dev/vda"}. ${compares}`,
  ],
  ['properties', 'root_device', { name: '!= /dev/vda' }, compares],
  ['properties', 'root_device', '/dev/vda', 'root_device is "/dev/vda", and an object of hints is expected.'],
  ['instance_info', 'root_device', { name: '!= /dev/vda' }, compares],
] as const

describe('hints of disks', () => {
  for (const [field, name, value, problem] of WRONG) {
    const error = `${field}/${name} cannot be read: ${problem}`

    it(`are refused when they are set: ${field}/${name} ${JSON.stringify(value)}`, async (t) => {
      const { ask, store } = await openRig(t)
      const { uuid } = await enrolled(ask, { [field]: { kept: 1 } })

      const created = await ask('POST', '/v1/nodes', { driver: 'ipmi', name: 'n2', [field]: { [name]: value } })
      const patched = await ask('PATCH', `/v1/nodes/${uuid}`, [{ op: 'add', path: `/${field}/${name}`, value }])

      for (const { status, fault } of [created, patched]) {
        assert.equal(status, 400)
        assert.equal(fault, error)
      }
      assert.throws(() => store.nodes.find('n2'))
      assert.deepEqual(store.nodes.find(uuid)[field], { kept: 1 })
    })
  }

  it('are taken when an agent can read them', async (t) => {
    const { ask } = await openRig(t)
    const properties = {
      root_device: { size: '>= 10', name: 's!= /dev/vda' },
      skip_block_devices: [{ name: '/dev/vdb' }, { volume_name: 'root' }],
    }

    const { uuid } = await enrolled(ask, { properties })
    const { status } = await ask('PATCH', `/v1/nodes/${uuid}`, [{ op: 'remove', path: '/properties/root_device' }])

    assert.equal(status, 200)
  })

  it('that stand there from before hinder no other change', async (t) => {
    const { ask, store } = await openRig(t)
    const { uuid } = await enrolled(ask)
    await store.nodes.update(uuid, () => ({ properties: { skip_block_devices: 'vda' } }))

    const { status } = await ask('PATCH', `/v1/nodes/${uuid}`, [{ op: 'add', path: '/properties/cpus', value: 4 }])

    assert.equal(status, 200)
  })
})
