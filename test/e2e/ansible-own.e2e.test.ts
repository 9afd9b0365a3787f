/** Our own playbooks on a machine: the box's real ansible, over SSH into the deploy ramdisk. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { run } from '../rack/run-program.ts'
import { ANSIBLE_DEADLINE_MS, assertHome, PARTITION_IMAGE, partitionImage, rackWith } from './ansible-own.ts'
import { deploy, PREPARE_DEADLINE_MS } from './racks.ts'

describe('a machine with the deploy interface ansible', () => {
  it('ends up running a partition image (bios)', {
    timeout: PREPARE_DEADLINE_MS + ANSIBLE_DEADLINE_MS,
  }, async (test) => {
    const partition = await partitionImage()
    await using rack = await rackWith(test, [partition])

    const signal = AbortSignal.timeout(ANSIBLE_DEADLINE_MS)
    const [timeline] = await deploy(rack, partition, { signal, ...PARTITION_IMAGE })

    await assertHome(rack, timeline)
    const { partitiontable } = JSON.parse(await run('sfdisk', ['--json', rack.hardware.machines[0]?.disk ?? '']))
    const names = partitiontable.partitions.map(({ name }: { name: string }) => name)
    assert.deepEqual(names, ['bios', 'ephemeral', 'swap', 'root', 'config-2'])
    const log = await readFile(rack.appliance.options.log, 'utf8')
    assert.match(log, /deploy\.yaml: configure : install the boot loader/)
  })
})
