/** Partition images by our own playbooks on machines that boot by UEFI. */
import { describe, it } from 'node:test'
import { ANSIBLE_DEADLINE_MS, assertHome, PARTITION_IMAGE, partitionImage, rackWith } from './ansible-own.ts'
import { deploy, PREPARE_DEADLINE_MS } from './racks.ts'

describe('a machine with the deploy interface ansible', () => {
  it('ends up running a partition image (uefi)', {
    timeout: PREPARE_DEADLINE_MS + ANSIBLE_DEADLINE_MS,
  }, async (test) => {
    const partition = await partitionImage()
    await using rack = await rackWith(test, [partition], { firmware: 'uefi' })

    const [timeline] = await deploy(rack, partition, {
      ...PARTITION_IMAGE,
      signal: AbortSignal.timeout(ANSIBLE_DEADLINE_MS),
    })

    await assertHome(rack, timeline)
  })
})
