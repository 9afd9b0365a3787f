/** Our own playbooks on further machines: a whole disk, and UEFI. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ANSIBLE_DEADLINE_MS, assertHome, PARTITION_IMAGE, partitionImage, rackWith } from './ansible-own.ts'
import { deploy, ownImage, PREPARE_DEADLINE_MS } from './racks.ts'

const timeout = PREPARE_DEADLINE_MS + ANSIBLE_DEADLINE_MS

describe('a machine with the deploy interface ansible', () => {
  it('ends up running a whole-disk image (bios)', { timeout }, async (test) => {
    const disk = await ownImage()
    await using rack = await rackWith(test, [disk])

    const signal = AbortSignal.timeout(ANSIBLE_DEADLINE_MS)
    const [timeline] = await deploy(rack, disk, { signal, node: { deploy_interface: 'ansible' } })

    await assertHome(rack, timeline)
    const [bytes = Number.POSITIVE_INFINITY] = await rack.hardware.network.bytesToMachines()
    assert.ok(bytes < disk.virtual_bytes / 4, `${bytes} bytes went over the wire`)
  })

  it('ends up running a partition image (uefi)', { timeout }, async (test) => {
    const partition = await partitionImage()
    await using rack = await rackWith(test, [partition], { firmware: 'uefi' })

    const signal = AbortSignal.timeout(ANSIBLE_DEADLINE_MS)
    const [timeline] = await deploy(rack, partition, { signal, ...PARTITION_IMAGE })

    await assertHome(rack, timeline)
  })
})
