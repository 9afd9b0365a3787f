/** What a machine tells of itself is read and kept. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createHardware } from '../../../appliance/hardware/hardware.ts'
import { createLog } from '../../../appliance/log.ts'
import type { Json } from '../../../appliance/plugin-api/index.ts'
import type { BiosInterface } from '../../../appliance/plugin-api/interfaces.ts'
import { configOf, startTrial } from './trial.ts'

const INI = `[DEFAULT]
enabled_hardware_types = fake-hardware
enabled_bios_interfaces = fake
enabled_raid_interfaces = fake
enabled_firmware_interfaces = fake
`

async function manageable(t: TestContext, bios: Partial<BiosInterface> = {}) {
  const made = createHardware({ config: configOf(INI), log: createLog('error', () => {}) })
  const hardware: typeof made = {
    ...made,
    find(type, name) {
      const found = made.find(type, name)
      return found && type === 'bios' ? { ...found, ...bios } : found
    },
  }
  const trial = await startTrial(t, { ini: INI, hardware })
  const { uuid } = await trial.createNode({ provision_state: 'enroll' })
  const reading = () => trial.store.readings.get(uuid)
  const clean = async (...clean_steps: Json[]) => {
    await trial.conductor.provision(uuid, { target: 'clean', clean_steps, disable_ramdisk: true } as never)
    await trial.until('manageable', () => trial.node(uuid).provision_state === 'manageable')
    assert.equal(trial.node(uuid).last_error, null)
  }
  await trial.conductor.provision(uuid, { target: 'manage' })
  await trial.until('manageable', () => trial.node(uuid).provision_state === 'manageable')
  return { trial, uuid, reading, clean }
}
const told = (list: readonly object[] | undefined, ...keys: string[]) =>
  list?.map((each) => keys.map((key) => (each as Json)[key]))

describe('a machine', () => {
  it('is asked for its firmware and its boot mode when its node becomes manageable', async (t) => {
    const { trial, uuid, reading } = await manageable(t)

    assert.deepEqual(told(reading()?.firmware, 'component', 'initial_version', 'last_version_flashed'), [
      ['bios', '1.0', null],
      ['bmc', '1.0', null],
    ])
    assert.deepEqual(reading()?.bios, [])
    const { boot_mode, secure_boot } = trial.node(uuid)
    assert.deepEqual([boot_mode, secure_boot], ['uefi', false])
  })

  it('is asked again after a step of its bios or firmware: what changed has another time', async (t) => {
    const { reading, clean } = await manageable(t)
    const settings = [
      { name: 'vt', value: 'on' },
      { name: 'ht', value: 'off' },
    ]

    await clean({ interface: 'bios', step: 'apply_configuration', args: { settings } })
    await clean({
      interface: 'firmware',
      step: 'update',
      args: { settings: [{ component: 'bmc', url: 'http://h/2.0' }] },
    })

    const { bios = [], firmware = [] } = reading() ?? {}
    assert.deepEqual(told(bios, 'name', 'value', 'read_only', 'updated_at'), [
      ['vt', 'on', null, null],
      ['ht', 'off', null, null],
    ])
    assert.deepEqual(told(firmware, 'component', 'initial_version', 'current_version', 'last_version_flashed'), [
      ['bios', '1.0', '1.0', null],
      ['bmc', '1.0', '2.0', '2.0'],
    ])
    assert.notEqual(firmware[1]?.updated_at, null)
  })

  it('is asked for its RAID after it was made: the root volume is what the next deploy writes to', async (t) => {
    const { trial, uuid, clean } = await manageable(t)
    const logical_disks = [{ raid_level: '1', size_gb: 80, is_root_volume: true, root_device_hint: { wwn: '0x1' } }]
    await trial.conductor.raid.setTarget(uuid, { logical_disks })

    await clean({ interface: 'raid', step: 'create_configuration', args: {} })

    const { raid_config, properties } = trial.node(uuid)
    assert.deepEqual(raid_config.logical_disks, logical_disks)
    assert.match(String(raid_config.last_updated), /^\d{4}-\d\d-\d\d \d\d:/)
    assert.deepEqual(properties, { local_gb: 80, root_device: { wwn: '0x1' }, capabilities: 'raid_level:1' })

    await clean({ interface: 'raid', step: 'delete_configuration', args: {} })

    assert.deepEqual(trial.node(uuid).raid_config.logical_disks, [])
  })

  it('that tells too much, the same twice, or a password, is not believed', async (t) => {
    const told = [
      { name: 'AdminPassword', value: 'tungsten' },
      { name: 'Setup', value: 'tungsten', attribute_type: 'Password' as const },
      ...Array.from({ length: 5_000 }, (_, index) => ({ name: `s${index}`, value: 'v'.repeat(5_000) })),
    ]
    const { reading } = await manageable(t, { getSettings: async () => [{ name: 's0', value: 'other' }, ...told] })

    const { bios = [] } = reading() ?? {}
    assert.deepEqual(
      bios.slice(0, 3).map(({ name, value }) => [name, value?.length ?? null]),
      [
        ['s0', 1024],
        ['AdminPassword', null],
        ['Setup', null],
      ],
    )
    assert.equal(bios.length, 1999)
  })

  it('that fails to tell is manageable all the same, and the log says why', async (t) => {
    const { trial, reading } = await manageable(t, { getSettings: () => Promise.reject(new Error('no such table')) })

    assert.deepEqual(reading()?.bios, [])
    const [line] = trial.lines.filter(({ message }) => message === 'machine not read')
    assert.deepEqual([line?.what, line?.reason], ['bios', 'The BMC failed: no such table'])
  })
})
