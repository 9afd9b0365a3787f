/** What of a machine's management is not its boot device: by Redfish, on a BMC that is a table of resources. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { InterfaceStep } from '../../../../appliance/plugin-api/interfaces.ts'
import { interfaceTask } from '../../../../appliance/plugin-testing/interface-task.ts'
import { MEDIA, refused, SYSTEM } from '../../../rack/redfish-bmc.ts'
import { redfishRig } from './rig.ts'

const CD = `${MEDIA}/Cd`
const IMAGE = new URL('http://192.0.2.1/tools.iso')

describe('management interface redfish', () => {
  const rig = redfishRig()
  const task = () => interfaceTask(rig.node())
  const run = async (step: string) => {
    const found = rig.redfish().steps?.find((each) => each.step === step)
    assert.ok(found, step)
    return found.run(task() as unknown as Parameters<InterfaceStep['run']>[0], {})
  }

  describe('Secure Boot', () => {
    it('is not told of again what it is already', async () => {
      await rig.redfish().setSecureBoot?.(task(), false)
      await rig.redfish().setSecureBoot?.(task(), true)

      assert.deepEqual(rig.bmc.changes, [`PATCH ${SYSTEM}/SecureBoot {"SecureBootEnable":true}`])
    })

    it('has its keys reset and deleted by steps', async () => {
      assert.deepEqual(await run('reset_secure_boot_keys_to_default'), { done: true })
      assert.deepEqual(await run('clear_secure_boot_keys'), { done: true })

      const target = `${SYSTEM}/SecureBoot/Actions/SecureBoot.ResetKeys`
      assert.deepEqual(rig.bmc.changes, [
        `POST ${target} {"ResetKeysType":"ResetAllKeysToDefault"}`,
        `POST ${target} {"ResetKeysType":"DeleteAllKeys"}`,
      ])
    })

    it('is not supported where the machine has none', async () => {
      delete rig.bmc.system.SecureBoot

      await assert.rejects(async () => rig.redfish().getSecureBoot?.(task()), {
        name: 'UnsupportedDriverExtension',
        message: 'Driver redfish does not support get_secure_boot_state (disabled or not implemented).',
      })
    })
  })

  it('sends an NMI where the BMC says that it can', async () => {
    await assert.rejects(async () => rig.redfish().injectNmi?.(task()), /sends no NMI: as ResetType it takes On, /)

    delete (rig.bmc.system.Actions as Record<string, Record<string, unknown>>)['#ComputerSystem.Reset']?.[
      'ResetType@Redfish.AllowableValues'
    ]
    await rig.redfish().injectNmi?.(task())

    assert.deepEqual(rig.bmc.changes, [`POST ${SYSTEM}/Actions/ComputerSystem.Reset {"ResetType":"Nmi"}`])
  })

  it('tells of lights of system, chassis and drives, in older and newer words', async () => {
    const { getIndicators, setIndicatorState } = rig.redfish()

    assert.deepEqual(await getIndicators?.(task()), {
      system: {
        '00000000-0000-0000-0000-000000000001': { readonly: false, states: ['blinking', 'off', 'on'] },
      },
      chassis: { Blade: { readonly: false, states: ['blinking', 'off', 'on'] } },
      disk: { '1': { readonly: false, states: ['off', 'on'] } },
    })
    await setIndicatorState?.(task(), { component: 'disk', name: '1' }, 'on')
    assert.deepEqual(rig.bmc.changes, [`PATCH ${SYSTEM}/Storage/1/Drives/1 {"LocationIndicatorActive":true}`])
  })

  it('reads the sensors that there are, by the names that Ironic has for them', async () => {
    assert.deepEqual(await rig.redfish().getSensors?.(task()), {
      Extra: { system: { Manufacturer: 'Acme', Model: null, UUID: '00000000-0000-0000-0000-000000000001' } },
      Fan: {
        '0@Blade': { identity: '0', reading: 2100, reading_units: 'RPM', state: 'Enabled', health: 'OK' },
      },
      Temperature: {
        '0@Blade': { identity: '0', reading_celsius: 41.5, physical_context: 'CPU', state: 'Enabled' },
      },
      Power: {},
      Drive: {
        'Bay 1:1@1': {
          ...{ identity: '1', name: 'Bay 1', model: 'ST1', capacity_bytes: 1000 },
          ...{ state: 'Enabled', health: 'OK' },
        },
        'Bay 2:2@1': { identity: '2', name: 'Bay 2', capacity_bytes: 100 * 1024 ** 3 },
        'Bay 3:3@1': { identity: '3', name: 'Bay 3', capacity_bytes: 100 * 1024 ** 3 },
      },
    })
  })

  describe('virtual media', () => {
    const attach = (device: 'cdrom' | 'floppy' | 'disk' = 'cdrom') =>
      rig.redfish().attachVirtualMedia?.(task(), device, IMAGE)

    it('go into the drive for their kind, after what was there', async () => {
      await attach()
      await attach('disk')
      await attach()

      assert.deepEqual(rig.bmc.changes, [
        `POST ${CD}/Actions/VirtualMedia.InsertMedia {"Image":"http://192.0.2.1/tools.iso"}`,
        `POST ${MEDIA}/Floppy/Actions/VirtualMedia.InsertMedia {"Image":"http://192.0.2.1/tools.iso"}`,
        `POST ${CD}/Actions/VirtualMedia.EjectMedia {}`,
        `POST ${CD}/Actions/VirtualMedia.InsertMedia {"Image":"http://192.0.2.1/tools.iso"}`,
      ])
    })

    it('are inserted by PATCH where there is no action', async () => {
      delete rig.bmc.resources.get(CD)?.Actions

      await attach()
      await rig.redfish().detachVirtualMedia?.(task())

      assert.deepEqual(rig.bmc.changes, [
        `PATCH ${CD} {"Image":"http://192.0.2.1/tools.iso","Inserted":true,"WriteProtected":true}`,
        `PATCH ${CD} {"Image":null,"Inserted":false}`,
      ])
    })

    it('come with the members that the BMC demands', async () => {
      const missing = ['TransferProtocolType', 'TransferMethod', 'UserName']
      rig.bmc.behaviour = ({ path, body }) => {
        const lacks = path.endsWith('InsertMedia') ? missing.find((name) => body[name] === undefined) : undefined
        return lacks === undefined
          ? undefined
          : refused(400, 'Base.1.8.ActionParameterMissing', `InsertMedia requires the parameter ${lacks}.`)
      }

      await attach()

      assert.match(
        rig.bmc.changes.at(-1) ?? '',
        /"TransferProtocolType":"HTTP","TransferMethod":"Stream","UserName":"none","Password":"none"/,
      )
    })

    it('go into the next drive when the first is for the console alone', async () => {
      const second = `${MEDIA}/Cd2`
      rig.bmc.resources.set(second, { Id: 'Cd2', MediaTypes: ['DVD'], Inserted: false })
      rig.bmc.resources.set(MEDIA, { Members: [CD, second].map((path) => ({ '@odata.id': path })) })
      rig.bmc.behaviour = ({ path }) =>
        path.startsWith(`${CD}/Actions`) ? refused(405, 'Base.1.8.OperationNotAllowed', 'No.') : undefined

      await attach()

      assert.equal(rig.bmc.resources.get(second)?.Inserted, true)
    })

    it('are waited for where the BMC answers before it has looked', async () => {
      let looks = 0
      rig.bmc.behaviour = ({ method, path }) => {
        if (path.endsWith('InsertMedia')) return { status: 204 }
        if (method === 'GET' && path === CD && looks++ === 2) rig.bmc.resources.set(CD, { Inserted: true })
        return undefined
      }
      const polling = { enable_vmedia_insert_polling: true, vmedia_insert_poll_interval: 0.01 }

      await rig.redfish(polling).attachVirtualMedia?.(task(), 'cdrom', IMAGE)

      assert.equal(looks, 3)
    })

    it('that the machine has no drive for are refused', async () => {
      rig.bmc.resources.set(MEDIA, { Members: [{ '@odata.id': CD }] })

      await assert.rejects(async () => attach('floppy'), /has no drive for floppy: none of Floppy is among its media/)
    })
  })
})
