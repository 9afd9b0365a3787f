/** Our own playbooks on machines: the box's real ansible, over SSH into the deploy ramdisk. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { run } from '../rack/run-program.ts'
import { ANSIBLE_DEADLINE_MS, assertHome, PARTITION_IMAGE, partitionImage, rackWith } from './ansible-own.ts'
import { deploy, ownImage, PREPARE_DEADLINE_MS } from './racks.ts'

describe('machines with the deploy interface ansible', () => {
  it('end up running a whole-disk image and a partition image (bios)', {
    timeout: PREPARE_DEADLINE_MS + ANSIBLE_DEADLINE_MS,
  }, async (test) => {
    const [disk, partition] = await Promise.all([ownImage(), partitionImage()])
    await using rack = await rackWith(test, [disk, partition], { machines: 2 })

    const signal = AbortSignal.timeout(ANSIBLE_DEADLINE_MS)
    const [whole, divided] = await Promise.all([
      deploy(rack, disk, { machines: [0], signal, node: { deploy_interface: 'ansible' } }),
      deploy(rack, partition, { machines: [1], signal, ...PARTITION_IMAGE }),
    ])

    await assertHome(rack, whole[0])
    await assertHome(rack, divided[0])
    const [bytes = Number.POSITIVE_INFINITY] = await rack.hardware.network.bytesToMachines()
    assert.ok(bytes < disk.virtual_bytes / 4, `${bytes} bytes went over the wire`)
    const { partitiontable } = JSON.parse(await run('sfdisk', ['--json', rack.hardware.machines[1]?.disk ?? '']))
    const names = partitiontable.partitions.map(({ name }: { name: string }) => name)
    assert.deepEqual(names, ['bios', 'ephemeral', 'swap', 'root', 'config-2'])
    const log = await readFile(rack.appliance.options.log, 'utf8')
    assert.match(log, /deploy\.yaml: configure : install the boot loader/)
  })
})
