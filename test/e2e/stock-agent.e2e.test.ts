/** The promise that Ironic's own agent works unchanged: its ramdisk in the place of ours, everything else as it is. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deploy, foldersOf, ownImage, PREPARE_DEADLINE_MS, rackFor, showNode } from './racks.ts'
import { stockAgent } from './stock-agent.ts'

const MEMORY_MIB = 2048
/** It hashes and writes every byte, zeros too: three minutes under emulation, more on a busy box. */
const STOCK_DEADLINE_MS = 1_800_000

describe('the stock ironic-python-agent', () => {
  it('streams a raw image and its config drive to the disk, and leaves the machine running its operating system', {
    timeout: PREPARE_DEADLINE_MS + STOCK_DEADLINE_MS,
  }, async (test) => {
    const ramdisk = await stockAgent(test)
    if (ramdisk === undefined) return
    const image = await ownImage()
    await using rack = await rackFor(test, { ramdisk, images: foldersOf(image), memory_mib: MEMORY_MIB })

    // It tells nothing while it writes.
    const silence_limit_s = STOCK_DEADLINE_MS / 1000
    const [timeline] = await deploy(rack, image, { signal: AbortSignal.timeout(STOCK_DEADLINE_MS), silence_limit_s })

    test.diagnostic(JSON.stringify(timeline?.stages))
    // The operating system took its host name from the config drive.
    assert.equal(timeline?.stages.find(({ name }) => name === 'phone-home')?.note, 'it calls itself rack-1')
    const node = await showNode(rack, 'rack-1')
    assert.deepEqual(
      [node.provision_state, node.target_provision_state, node.power_state, node.last_error],
      ['active', null, 'power on', null],
    )
  })
})
