/** Everything that is read of a BMC, on the answers of real ones. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { redfishBios } from '../../../../appliance/hardware/bios/redfish.ts'
import { redfishFirmware } from '../../../../appliance/hardware/firmware/redfish.ts'
import { redfishInspect } from '../../../../appliance/hardware/inspect/redfish.ts'
import { redfishRaid } from '../../../../appliance/hardware/raid/redfish.ts'
import type { Json } from '../../../../appliance/plugin-api/index.ts'
import { interfaceTask } from '../../../../appliance/plugin-testing/interface-task.ts'
import { redfishRig } from './rig.ts'
import { samples } from './samples.ts'

const SYSTEM = '/redfish/v1/Systems/437XR1138R2'
const CD = '/redfish/v1/Managers/BMC/VirtualMedia/CD1'

describe('the answers of real BMCs', () => {
  const rig = redfishRig()
  let files: ReadonlyMap<string, unknown>
  before(async () => {
    files = await samples(AbortSignal.timeout(300_000))
  })
  const task = () => interfaceTask(rig.node({ redfish_system_id: SYSTEM, redfish_auth_type: 'basic' }))

  /** Each where it says that it is, the plain name first; links to what nobody has lead to 404. */
  function serve(): void {
    rig.bmc.resources.clear()
    for (const [name, body] of [...files].toSorted(([one], [other]) => other.length - one.length)) {
      const path = (body as Json)['@odata.id']
      if (typeof path === 'string' && name.length > 0) rig.bmc.resources.set(path, structuredClone(body) as Json)
    }
    // Its own address is spelled otherwise than the link to it.
    rig.bmc.resources.set(`${SYSTEM}/Bios`, structuredClone(files.get('bios.json')) as Json)
  }

  it('tell power, boot device and boot mode', async () => {
    serve()

    assert.equal(await rig.redfish().getPowerState(task()), 'power on')
    assert.deepEqual(await rig.redfish().getBootDevice(task()), { boot_device: 'pxe', persistent: false })
    assert.equal(await rig.redfish().getBootMode?.(task()), 'uefi')
    await rig.redfish().setBootDevice(task(), 'disk', true)
    assert.equal((await rig.redfish().getBootDevice(task())).boot_device, 'disk')
  })

  it('are read whatever of them is missing: sensors, lights, BIOS, firmware, inventory, RAID', async () => {
    serve()
    const shared = rig.shared()

    const sensors = await rig.redfish().getSensors?.(task())
    const inventory = await redfishInspect(shared).readInventory?.(task())
    const bios = await redfishBios(shared).getSettings?.(task())
    const firmware = await redfishFirmware(shared).getComponents?.(task())

    assert.deepEqual(Object.keys(sensors ?? {}), ['Extra', 'Fan', 'Temperature', 'Power', 'Drive'])
    assert.deepEqual(inventory?.memory, { physical_mb: 98304 })
    assert.ok((bios ?? []).length > 3)
    assert.deepEqual(firmware?.slice(0, 2), [
      { component: 'bios', current_version: 'P79 v1.45 (12/06/2017)' },
      { component: 'bmc', current_version: '1.00' },
    ])
    // The chassis, and two drives, are linked to and not there.
    const lights = await rig.redfish().getIndicators?.(task())
    assert.deepEqual([Object.keys(lights ?? {}), Object.keys(lights?.disk ?? {}).length], [['system', 'disk'], 3])
    const { logical_disks = [] } = (await redfishRaid(shared).getConfiguration?.(task())) ?? {}
    assert.deepEqual(
      logical_disks.map(({ volume_name, raid_level, size_gb }) => [volume_name, raid_level, size_gb]),
      [
        ['Virtual Disk 1', '1', 837],
        ['Virtual Disk 2', '0', 100],
        ['Virtual Disk 3', '0', 1000],
      ],
    )
  })

  it('that refuse an image for want of a protocol are given it', async () => {
    const names = [...files.keys()].filter((name) => /^transfer_proto_required_error\d*\.json$/.test(name))
    assert.ok(names.length >= 4)
    for (const name of names) {
      serve()
      const drive = {
        ...(files.get('virtual_media.json') as Json),
        '@odata.id': CD,
        MediaTypes: ['CD'],
        Inserted: false,
      }
      rig.bmc.resources.set(CD, drive)
      rig.bmc.resources.set('/redfish/v1/Managers/BMC/VirtualMedia', { Members: [{ '@odata.id': CD }] })
      rig.bmc.behaviour = ({ path, body }) => {
        if (!path.endsWith('InsertMedia')) return undefined
        return body.TransferProtocolType === 'HTTP' ? { status: 204 } : { status: 400, body: files.get(name) }
      }

      await rig.redfish().attachVirtualMedia?.(task(), 'cdrom', new URL('http://192.0.2.1/a.iso'))

      assert.match(rig.bmc.changes.at(-1) ?? '', /"TransferProtocolType":"HTTP"/, name)
    }
  })
})
