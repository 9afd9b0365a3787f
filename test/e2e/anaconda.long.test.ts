/** Kickstart deploys that take longer than the other end-to-end tests may: UEFI, and a squashfs. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FIRMWARES } from '../rack/steel/machine.ts'
import { installation, kickstartRack } from './anaconda.ts'
import { DEPLOY_DEADLINE_MS, deploy, PREPARE_DEADLINE_MS } from './racks.ts'

describe('a kickstart deploy', () => {
  for (const firmware of FIRMWARES) {
    it(`of a squashfs ends with a machine that phones home (${firmware})`, {
      timeout: PREPARE_DEADLINE_MS + DEPLOY_DEADLINE_MS,
    }, async (test) => {
      const image = await installation('squashfs')
      await using rack = await kickstartRack(test, image, { firmware, memory_mib: 1536 })

      const [timeline] = await deploy(rack, image)

      const home = timeline?.stages.find(({ name }) => name === 'phone-home')
      assert.equal(home?.note, 'it calls itself rack-1')
      test.diagnostic(`phone-home ${home?.at_s} s after the deploy call`)
    })
  }
})
