/** A kickstart deploy on real parts, but for the installer: a stand-in does what the kickstart says. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { installation, kickstartRack } from './anaconda.ts'
import { DEPLOY_DEADLINE_MS, deploy, PREPARE_DEADLINE_MS, showNode } from './racks.ts'

describe('a machine with the deploy interface anaconda', () => {
  it('is installed by its kickstart, boots the result with its config drive, and tells of an error in its words', {
    timeout: PREPARE_DEADLINE_MS + 2 * DEPLOY_DEADLINE_MS,
  }, async (test) => {
    const image = await installation('tarball')
    await using rack = await kickstartRack(test, image, { machines: 2 })
    const stage2 = [`stage2=file://${image.installer.kernel}`]

    const failing = deploy(rack, image, { machines: [1], node: { instance_info: stage2 } })
    const failed = assert.rejects(failing, /The installer reported an error: The installation failed\. no stage2 at /)
    const [timeline] = await deploy(rack, image, { machines: [0] })
    await failed

    const home = timeline?.stages.find(({ name }) => name === 'phone-home')
    assert.equal(home?.note, 'it calls itself rack-1')
    const node = await showNode(rack, 'rack-1')
    assert.deepEqual([node.provision_state, node.power_state, node.last_error], ['active', 'power on', null])
    const console = await readFile(rack.hardware.machines[0]?.options.console ?? '', 'latin1')
    assert.match(console, /stand-in: %pre ended with 0/)
    assert.match(console, /stand-in: %post --nochroot ended with 0/)
    const [bytes] = await rack.hardware.network.bytesToMachines()
    test.diagnostic(`phone-home ${home?.at_s} s after the deploy call, ${bytes} bytes on the wire`)
  })
})
