/** BIOS settings, firmware, inspection, RAID and events by Redfish, on a BMC that is a table of resources. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { redfishBios } from '../../../../appliance/hardware/bios/redfish.ts'
import { redfishFirmware } from '../../../../appliance/hardware/firmware/redfish.ts'
import { redfishInspect } from '../../../../appliance/hardware/inspect/redfish.ts'
import { redfishRaid } from '../../../../appliance/hardware/raid/redfish.ts'
import { redfishVendor } from '../../../../appliance/hardware/vendor/redfish.ts'
import type { Json } from '../../../../appliance/plugin-api/index.ts'
import type { Implementation, InterfaceStepTask } from '../../../../appliance/plugin-api/interfaces.ts'
import { interfaceTask } from '../../../../appliance/plugin-testing/interface-task.ts'
import { testInterface } from '../../../../appliance/plugin-testing/interfaces.ts'
import type { Node } from '../../../../appliance/records/kinds/node.ts'
import { SYSTEM } from '../../../rack/redfish-bmc.ts'
import { redfishRig } from './rig.ts'

const GIB = 1024 ** 3
const STORAGE = `${SYSTEM}/Storage/1`

describe('services of Redfish', () => {
  const rig = redfishRig()
  const task = (change: Partial<Node> = {}) => interfaceTask(rig.node({}, change))

  /** Of a step: with a machine that is switched, which is written down in `acts`. */
  function stepTask(change: Partial<Node> = {}) {
    const acts: string[] = []
    const given = task(change)
    const step = {
      ...given,
      power: { staysOn: false, off: async () => void acts.push('off') },
      boot: { agent: async () => void acts.push('agent') },
      progress() {},
    }
    return { task: step as unknown as InterfaceStepTask, acts, remembered: given.remembered }
  }
  function stepOf({ steps = [] }: Implementation, name: string) {
    const found = steps.find(({ step }) => step === name)
    assert.ok(found, name)
    return found
  }

  describe('BIOS', () => {
    const bios = () => redfishBios(rig.shared())
    const apply = (settings: unknown, change: Partial<Node> = {}) => {
      const given = stepTask(change)
      return { ...given, result: stepOf(bios(), 'apply_configuration').run(given.task, { settings }) }
    }

    it('settings come with what the registry says of them', async () => {
      const [first, second] = (await bios().getSettings?.(task())) ?? []

      assert.deepEqual(first, {
        ...{ name: 'BootMode', value: 'Uefi', attribute_type: 'Enumeration', allowable_values: ['Uefi', 'Bios'] },
        ...{ lower_bound: null, upper_bound: null, min_length: null, max_length: null },
        ...{ read_only: null, reset_required: null, unique: null },
      })
      assert.deepEqual([second?.name, second?.value, second?.upper_bound], ['NumCores', '4', 8])
    })

    it('settings are told without it where it cannot be read', async () => {
      rig.bmc.resources.delete('/redfish/v1/Registries')

      assert.deepEqual((await bios().getSettings?.(task()))?.[0], { name: 'BootMode', value: 'Uefi' })
    })

    it('settings are changed for the next boot, in the types of the registry, and looked at after it', async () => {
      const { result, acts, remembered } = apply([
        { name: 'BootMode', value: 'Bios' },
        { name: 'NumCores', value: '2' },
      ])

      assert.deepEqual(await result, { wait: 'agent-boot', note: 'BIOS settings are applied' })
      assert.deepEqual(acts, ['off', 'agent'])
      assert.deepEqual(rig.bmc.changes, [
        `PATCH ${SYSTEM}/Bios/Settings {"Attributes":{"BootMode":"Bios","NumCores":2},"@Redfish.SettingsApplyTime":{"ApplyTime":"OnReset"}}`,
      ])
      const wanted = { BootMode: 'Bios', NumCores: 2 }
      assert.deepEqual(remembered, { redfish_bios_wanted: wanted })

      Object.assign(rig.bmc.resources.get(`${SYSTEM}/Bios`)?.Attributes as Json, wanted)
      const after = stepTask({ driver_internal_info: { redfish_bios_wanted: wanted } })
      const sign = { from: 'agent', waited: 'agent-boot', commands: [] } as const
      assert.deepEqual(await stepOf(bios(), 'apply_configuration').resume?.(after.task, sign), { done: true })
    })

    it('settings that are so already start nothing', async () => {
      const { result, acts } = apply([{ name: 'NumCores', value: '4' }])

      assert.deepEqual(await result, { done: true })
      assert.deepEqual([acts, rig.bmc.changes], [[], []])
    })

    it('settings that the registry does not allow are refused, all of them in one sentence', async () => {
      const wrong = [
        { name: 'BootMode', value: 'Warp' },
        { name: 'NumCores', value: 9 },
        { name: 'Serial', value: 'y' },
      ]

      await assert.rejects(apply(wrong).result, {
        name: 'InvalidParameterValue',
        message: `Redfish BIOS apply_configuration failed for node ${rig.node().uuid}: invalid value for setting(s): BootMode, NumCores, Serial`,
      })
      await assert.rejects(apply('on').result, { message: /expected a list of \{name, value\}\.$/ })
      assert.deepEqual(rig.bmc.changes, [])
    })

    it('is reset to what the factory set, by a boot', async () => {
      const given = stepTask()

      assert.deepEqual(await stepOf(bios(), 'factory_reset').run(given.task, {}), {
        wait: 'agent-boot',
        note: 'BIOS settings are reset',
      })
      assert.deepEqual(rig.bmc.changes, [`POST ${SYSTEM}/Bios/Actions/Bios.ResetBios {}`])
    })
  })

  describe('inspection', () => {
    const under = () => ({ implementation: redfishInspect(rig.shared()), node: () => rig.node(), record: rig.keep })
    testInterface('inspect', under)

    it('tells what the BMC knows, in the shape of the agent', async () => {
      const inspect = redfishInspect(rig.shared())

      assert.deepEqual(await inspect.readInventory?.(task()), {
        memory: { physical_mb: 65536 },
        cpu: { count: 2, architecture: '', model_name: 'Acme 9' },
        disks: [
          { name: 'Bay 1', size: 1000, model: 'ST1' },
          { name: 'Bay 2', size: 100 * GIB, rotational: false },
          { name: 'Bay 3', size: 100 * GIB, rotational: false },
        ],
        interfaces: [{ mac_address: '52:54:00:aa:00:01', name: '1', speed_mbps: 10000 }],
        system_vendor: { manufacturer: 'Acme', system_uuid: '00000000-0000-0000-0000-000000000001' },
        boot: { current_boot_mode: 'uefi' },
      })
      assert.deepEqual(await inspect.inspectHardware(task()), { memory_mb: 65536, cpus: 2, local_gb: 99 })
    })
  })

  describe('firmware', () => {
    testInterface('firmware', () => ({
      implementation: redfishFirmware(rig.shared()),
      node: () => rig.node(),
      record: rig.keep,
    }))

    it('has its versions told, and is updated by the BMC before the machine starts anew', async () => {
      const firmware = redfishFirmware(rig.shared())
      const given = stepTask()
      const settings = [{ component: 'bios', url: 'http://192.0.2.1/bios.bin' }]

      assert.deepEqual(await firmware.getComponents?.(task()), [
        { component: 'bios', current_version: 'P1.0' },
        { component: 'bmc', current_version: '2.1' },
      ])
      assert.deepEqual(await stepOf(firmware, 'update').run(given.task, { settings }), {
        wait: 'agent-boot',
        note: 'firmware is updated',
      })
      assert.deepEqual(rig.bmc.changes, [
        'POST /redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate {"ImageURI":"http://192.0.2.1/bios.bin","TransferProtocol":"HTTP"}',
      ])
      await assert.rejects(
        stepOf(firmware, 'update').run(given.task, { settings: [{ component: 'cpu', url: 'x' }] }),
        /expected a list of \{component, url\}/,
      )
    })
  })

  describe('RAID', () => {
    testInterface('raid', () => ({
      implementation: redfishRaid(rig.shared()),
      node: () => rig.node(),
      record: rig.keep,
    }))
    const run = (step: string, logical_disks: readonly Json[], args: Json = {}) =>
      stepOf(redfishRaid(rig.shared()), step).run(stepTask({ target_raid_config: { logical_disks } }).task, args)

    it('is told as what there is', async () => {
      assert.deepEqual(await redfishRaid(rig.shared()).getConfiguration?.(task()), {
        logical_disks: [
          { controller: '1', volume_name: 'old', id: '9', raid_level: '0', size_gb: 10, physical_disks: ['3'] },
        ],
      })
    })

    it('is made of free disks of one size', async () => {
      const mirror = { raid_level: '1', size_gb: 50, volume_name: 'root', disk_type: 'ssd' }

      await assert.rejects(run('create_configuration', [mirror]), /There are no 2 free disks at one controller/)
      rig.bmc.behaviour = ({ method, path }) => {
        if (method === 'DELETE') rig.bmc.resources.set(`${STORAGE}/Volumes`, { Members: [] })
        return path === '' ? 'hang' : undefined
      }
      assert.deepEqual(await run('create_configuration', [mirror], { delete_existing: true }), { done: true })
      const drives = [2, 3].map((bay) => ({ '@odata.id': `${STORAGE}/Drives/${bay}` }))
      assert.deepEqual(rig.bmc.changes, [
        `DELETE ${STORAGE}/Volumes/9 {}`,
        `POST ${STORAGE}/Volumes ${JSON.stringify({ RAIDType: 'RAID1', Name: 'root', CapacityBytes: 50 * GIB, Links: { Drives: drives } })}`,
      ])
    })

    it('is refused whole when a part of it cannot be', async () => {
      const disks = [
        { raid_level: '0', size_gb: 'MAX' },
        { raid_level: '7', size_gb: 1 },
      ]

      await assert.rejects(run('create_configuration', disks), /has a raid_level that Redfish has no volume for/)
      await assert.rejects(run('create_configuration', []), /has no target RAID configuration set\.$/)
      assert.deepEqual(rig.bmc.changes, [])
    })
  })

  describe('events', () => {
    const call = (name: string, args: Json = {}) => {
      const method = redfishVendor(rig.shared()).methods[name]
      assert.ok(method, name)
      return method.call(task(), args, method.http_methods[0] ?? 'GET')
    }

    it('are subscribed to, listed and cancelled; other members than Ironic tells stay untold', async () => {
      assert.deepEqual(await call('create_subscription', { Destination: 'https://192.0.2.9/events' }), {
        ...{ Id: 'new', Context: '', Protocol: 'Redfish', Destination: 'https://192.0.2.9/events' },
        EventTypes: ['Alert'],
      })
      assert.deepEqual(await call('get_subscription', { id: '5' }), { Id: '5', Destination: 'https://a/' })
      assert.ok(Array.isArray(((await call('get_all_subscriptions')) as Json).Members))
      await call('delete_subscription', { id: '5' })
      assert.equal(rig.bmc.changes.at(-1), 'DELETE /redfish/v1/EventService/Subscriptions/5 {}')
    })

    it('are not subscribed to with arguments that are wrong', async () => {
      await assert.rejects(call('create_subscription'), { name: 'MissingParameterValue' })
      await assert.rejects(call('create_subscription', { Destination: 'here' }), {
        message: 'Destination here is not a valid URI',
      })
      await assert.rejects(call('create_subscription', { Destination: 'https://a/', EventTypes: ['Rain'] }), {
        message: 'EventTypes Rain is not a valid value, allowed values Alert',
      })
      await assert.rejects(call('delete_subscription', { id: '77' }), { name: 'NotFound' })
      await assert.rejects(call('eject_vmedia', { boot_device: 'tape' }), { message: /^Boot device tape/ })
      assert.deepEqual(rig.bmc.changes, [])
    })
  })
})
