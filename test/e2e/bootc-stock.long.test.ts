/** The promise that Ironic's own agent deploys a container by its own step, from the appliance's mirror. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { assertDeployed, containerRack, createKey, deployContainer, INSTALL_DEADLINE_MS, PULL_SECRET } from './bootc.ts'
import { PREPARE_DEADLINE_MS, showNode } from './racks.ts'
import { stockAgent } from './stock-agent.ts'

/** podman's store lies in memory, and half of it is what a root file system in memory may take. */
const MEMORY_MIB = 4096
/** The agent tells nothing while it installs. */
const silence_limit_s = INSTALL_DEADLINE_MS / 1000

describe('the stock ironic-python-agent', () => {
  it('installs a container of a private registry out of the mirror, by its own step, with upstream dead', {
    timeout: PREPARE_DEADLINE_MS + INSTALL_DEADLINE_MS,
  }, async (test) => {
    const ramdisk = await stockAgent(test, { podman: true })
    if (ramdisk === undefined) return
    const containers = await containerRack(test, { ramdisk, memory_mib: MEMORY_MIB, isPrivate: true })
    const { rack, image } = containers
    const key = await createKey('alice')
    const held = rack.appliance.waitFor('the start of the agent', ({ to }) => to === 'wait call-back', {
      timeout_s: INSTALL_DEADLINE_MS / 1000,
      from: rack.appliance.lines.length,
    })
    const cut = held.then(() => rack.upstream?.cut())
    cut.catch(() => {})

    const instance_info = { bootc_authorized_keys: key.text, image_pull_secret: PULL_SECRET }
    const { timeline, report } = await deployContainer(containers, 0, instance_info, { silence_limit_s })

    await cut
    test.diagnostic(JSON.stringify(timeline.stages))
    test.diagnostic(await memoryTold(rack.hardware.machines[0]?.options.console))
    assertDeployed(containers, 'rack-1', report, key.text)
    const sent = rack.upstream?.bytesSent ?? 0
    assert.ok(sent < image.bytes * 1.05, `${sent} bytes came from upstream for an image of ${image.bytes}`)
    const node = await showNode(rack, 'rack-1')
    assert.deepEqual([node.provision_state, node.power_state, node.last_error], ['active', 'power on', null])
  })
})

/** What the ramdisk said of its memory: the first and the last line. */
async function memoryTold(console: string | undefined): Promise<string> {
  const lines = console === undefined ? [] : (await readFile(console, 'utf8')).split(/\r?\n/)
  const told = lines.filter((line) => /stock-agent: \d+ MiB of memory/.test(line))
  return [told.at(0), told.at(-1)].join(' ... ')
}
