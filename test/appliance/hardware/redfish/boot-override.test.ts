/** The boot device by Redfish, against a BMC that errs as those of several vendors do. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { interfaceTask } from '../../../../appliance/plugin-testing/interface-task.ts'
import { testManagementInterface } from '../../../../appliance/plugin-testing/management-interface.ts'
import { refused, SYSTEM } from '../../../rack/redfish-bmc.ts'
import { redfishRig } from './rig.ts'

describe('management interface redfish', () => {
  const rig = redfishRig()

  testManagementInterface(() => ({ management: rig.redfish(), node: () => rig.node(), record: rig.keep }))

  describe('the boot device', () => {
    it('is changed with the tag that the BMC wants, weak or strong', async () => {
      rig.bmc.wantsTags = true

      await rig.redfish().setBootDevice(interfaceTask(rig.node()), 'pxe', false)

      assert.equal(rig.bmc.boot.BootSourceOverrideTarget, 'Pxe')
      assert.deepEqual(
        rig.bmc.requests.filter(({ method }) => method === 'PATCH').map(({ headers }) => headers['if-match']),
        ['W/"0"', '"0"'],
      )
    })

    it('says for how long only when that changes, and all of it to vendors that want all', async () => {
      rig.bmc.boot.BootSourceOverrideEnabled = 'Once'

      await rig.redfish().setBootDevice(interfaceTask(rig.node()), 'pxe', false)
      await rig.redfish().setBootDevice(interfaceTask(rig.node()), 'disk', true)
      await rig
        .redfish()
        .setBootDevice(interfaceTask(rig.node({}, { properties: { vendor: 'ASRockRack' } })), 'pxe', true)

      assert.deepEqual(rig.bmc.changes, [
        `PATCH ${SYSTEM} {"Boot":{"BootSourceOverrideTarget":"Pxe"}}`,
        `PATCH ${SYSTEM} {"Boot":{"BootSourceOverrideTarget":"Hdd","BootSourceOverrideEnabled":"Continuous"}}`,
        `PATCH ${SYSTEM} {"Boot":{"BootSourceOverrideTarget":"Pxe","BootSourceOverrideEnabled":"Continuous","BootSourceOverrideMode":"UEFI"}}`,
      ])
    })

    it('that the BMC sets for one boot alone is set anew at each start', async () => {
      rig.bmc.behaviour = ({ method, body }) =>
        method === 'PATCH' && JSON.stringify(body).includes('Continuous')
          ? refused(400, 'Base.1.8.PropertyValueNotInList', 'Continuous is no more.')
          : undefined
      const task = interfaceTask(rig.node())

      await rig.redfish().setBootDevice(task, 'disk', true)
      assert.deepEqual(task.remembered, { redfish_boot_device: 'disk' })
      rig.bmc.boot.BootSourceOverrideTarget = 'None'
      rig.bmc.boot.BootSourceOverrideEnabled = 'Disabled'
      await rig
        .redfish()
        .setPowerState(interfaceTask(rig.node({}, { driver_internal_info: task.remembered })), 'power on')

      assert.equal(rig.bmc.boot.BootSourceOverrideTarget, 'Hdd')
      assert.equal(rig.bmc.boot.BootSourceOverrideEnabled, 'Once')
    })

    it('is tried again while the firmware starts', async () => {
      let refusals = 2
      rig.bmc.behaviour = ({ method }) =>
        method === 'PATCH' && refusals-- > 0
          ? refused(400, 'iLO.2.14.UnableToModifyDuringSystemPOST', 'In POST.')
          : undefined

      await rig.redfish().setBootDevice(interfaceTask(rig.node()), 'pxe', false)

      assert.equal(rig.bmc.boot.BootSourceOverrideTarget, 'Pxe')
    })

    it('goes to the settings of the next boot where the BMC has it there', async () => {
      const settings = `${SYSTEM}/SD`
      rig.bmc.system['@Redfish.Settings'] = { SettingsObject: { '@odata.id': settings } }
      const { BootSourceOverrideTarget, ...others } = rig.bmc.boot
      rig.bmc.system.Boot = others
      rig.bmc.resources.set(settings, { Boot: { BootSourceOverrideTarget } })

      await rig.redfish().setBootDevice(interfaceTask(rig.node()), 'pxe', false)

      assert.deepEqual(rig.bmc.changes, [
        `PATCH ${settings} {"Boot":{"BootSourceOverrideTarget":"Pxe"}}`,
        `PATCH ${SYSTEM} {"Boot":{"BootSourceOverrideEnabled":"Once"}}`,
      ])
    })

    it('brings the boot mode along that the record asks for', async () => {
      rig.bmc.boot.BootSourceOverrideMode = 'UEFI'
      const properties = { capabilities: 'boot_mode:bios' }

      await rig.redfish().setBootDevice(interfaceTask(rig.node({}, { properties })), 'pxe', false)

      assert.equal(rig.bmc.boot.BootSourceOverrideMode, 'Legacy')
    })

    it('CD-ROM is the USB one on a Supermicro', async () => {
      Object.assign(rig.bmc.system, { Manufacturer: 'Supermicro' })
      rig.bmc.boot['BootSourceOverrideTarget@Redfish.AllowableValues'] = ['Pxe', 'Cd', 'UsbCd']

      await rig.redfish().setBootDevice(interfaceTask(rig.node()), 'cdrom', false)

      assert.equal(rig.bmc.boot.BootSourceOverrideTarget, 'UsbCd')
      assert.equal((await rig.redfish().getBootDevice(interfaceTask(rig.node()))).boot_device, 'cdrom')
    })
  })
})
