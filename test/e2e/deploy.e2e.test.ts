/** The main job on real parts: dnsmasq, iPXE, QEMU, ipmi_sim, the real client, a Debian that boots from its disk. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { FIRMWARES } from '../rack/steel/machine.ts'
import {
  assertStartedByEntry,
  DEPLOY_DEADLINE_MS,
  deploy,
  foldersOf,
  ownImage,
  PREPARE_DEADLINE_MS,
  rackFor,
  reachedBy,
  showNode,
} from './racks.ts'

const STAGES = [
  'enrolled',
  'deploy called',
  'machine on',
  'DHCP',
  'iPXE',
  'ramdisk fetched',
  'lookup',
  'heartbeat',
  'step deploy.deploy',
  'step deploy.write_image',
  'step deploy.prepare_instance_boot',
  'step deploy.tear_down_agent',
  'machine on again',
  'active',
  'phone-home',
]

describe('a bare machine', () => {
  for (const firmware of FIRMWARES) {
    it(`boots from the network and ends up running its operating system (${firmware})`, {
      timeout: PREPARE_DEADLINE_MS + DEPLOY_DEADLINE_MS,
    }, async (test) => {
      const image = await ownImage()
      await using rack = await rackFor(test, { images: foldersOf(image), firmware })

      const [timeline] = await deploy(rack, image)

      assert.ok(timeline?.uuid)
      const names = timeline.stages.map(({ name }) => name)
      assert.deepEqual(
        STAGES.filter((stage) => !names.includes(stage)),
        [],
        'stages that are missing',
      )
      // The operating system took its host name from the config drive.
      assert.equal(timeline.stages.find(({ name }) => name === 'phone-home')?.note, 'it calls itself rack-1')
      const node = await showNode(rack, 'rack-1')
      assert.deepEqual(
        [node.provision_state, node.target_provision_state, node.power_state, node.last_error],
        ['active', null, 'power on', null],
      )
      const [bytes = Number.POSITIVE_INFINITY] = await rack.hardware.network.bytesToMachines()
      assert.ok(bytes < image.virtual_bytes / 4, `${bytes} bytes went over the wire`)
      if (firmware === 'uefi') await assertStartedByEntry(rack)
      const log = await readFile(rack.appliance.options.log, 'utf8')
      assert.ok(!log.includes('rack-password'), 'the BMC password stands in the log')

      const words = ['node', 'undeploy', 'rack-1']
      const wanted = { uuid: timeline.uuid, states: ['available', 'error'], timeout_s: 120 }
      assert.equal(await reachedBy(rack, words, wanted), 'available')

      assert.equal(rack.hardware.machines[0]?.power, 'off')
      const left = await showNode(rack, 'rack-1')
      assert.deepEqual([left.instance_info, left.last_error], [{}, null])
      await rack.baremetal('node', 'delete', 'rack-1')
      assert.equal((await rack.baremetal('node', 'list', '-f', 'json')).trim(), '[]')
    })
  }
})
