/**
 * The deploy interface custom-agent: with the stock ironic-python-agent and hardware managers of strangers (one of
 * ours, which writes, and upstream's own example), and with our agent and the layer of the plugin's README. What
 * writes fetches the image from a server that the appliance does not know.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { nodeWith, prepareAcme } from '../rack/acme-layer.ts'
import { ensureHardwareManagers, LAYER } from '../rack/hardware-manager/build.ts'
import { run } from '../rack/run-program.ts'
import { serveFile } from '../rack/serve-file.ts'
import { AgentNotServed } from '../rack/stock-agent/build.ts'
import type { Timeline } from '../rack/timeline.ts'
import { deploy, foldersOf, ownImage, PREPARE_DEADLINE_MS, rackFor, showNode } from './racks.ts'

const STOCK_MEMORY_MIB = 2048
const DEADLINE_MS = 600_000
const CONFIG = { DEFAULT: { enabled_deploy_interfaces: 'direct,custom-agent' } }
/** With arguments; the agent does not run them by itself. */
const ASKED = [
  { step: 'acme_label', priority: 65, args: { text: 'rack 7', partition: 1 } },
  { step: 'companyx_apply_something', priority: 64, args: { required_value: 'a value' } },
].map((step) => ({ interface: 'deploy', ...step }))
const AFTERWARDS = ['prepare_instance_boot', 'tear_down_agent', 'switch_to_tenant_network', 'boot_instance']

const stepsOf = (timeline: Timeline | undefined) =>
  timeline?.stages.flatMap(({ name }) => (name.startsWith('step deploy.') ? [name.slice('step deploy.'.length)] : []))

describe('the deploy interface custom-agent', () => {
  it('deploys a machine by the steps of a stock agent with hardware managers of strangers', {
    timeout: PREPARE_DEADLINE_MS + DEADLINE_MS,
  }, async (test) => {
    const signal = AbortSignal.timeout(PREPARE_DEADLINE_MS)
    const ramdisk = await ensureHardwareManagers(signal).catch((error) => {
      if (!(error instanceof AgentNotServed)) throw error
      test.skip(error.message)
      return undefined
    })
    if (ramdisk === undefined) return
    const image = await ownImage()
    const images = foldersOf(image)
    await using rack = await rackFor(test, { ramdisk, images, memory_mib: STOCK_MEMORY_MIB, config: CONFIG })
    await using files = await serveFile(rack, image.path)

    const [timeline] = await deploy(rack, image, {
      node: { ...nodeWith(LAYER, files.url), deploy_steps: JSON.stringify(ASKED) },
      signal: AbortSignal.timeout(DEADLINE_MS),
      // It tells nothing while it writes.
      silence_limit_s: DEADLINE_MS / 1000,
    })

    test.diagnostic(JSON.stringify(timeline?.stages))
    // Upstream's example has a step of priority 90, which runs by itself.
    const theirs = ['companyx_verify_memory', 'acme_write', 'acme_label', 'companyx_apply_something']
    assert.deepEqual(stepsOf(timeline), ['deploy', ...theirs, ...AFTERWARDS])
    // The config drive is the manager's work, too.
    assert.equal(timeline?.stages.find(({ name }) => name === 'phone-home')?.note, 'it calls itself rack-1')
    const [machine] = rack.hardware.machines
    assert.ok(machine)
    assert.equal((await run('sfdisk', ['--part-label', machine.disk, '1'])).trim(), 'rack 7')
    const { provision_state, last_error } = await showNode(rack, 'rack-1')
    assert.deepEqual([provision_state, last_error], ['active', null])
  })

  it("deploys a machine by the step of a layer of ours, the README's", {
    timeout: PREPARE_DEADLINE_MS + DEADLINE_MS,
  }, async (test) => {
    const folder = await mkdtemp(join(tmpdir(), 'rackstrap-acme-'))
    test.after(() => rm(folder, { recursive: true }))
    const image = await ownImage()
    const { ramdisk, file } = await prepareAcme(folder, image, AbortSignal.timeout(PREPARE_DEADLINE_MS))
    await using rack = await rackFor(test, { ramdisk, images: foldersOf(image), config: CONFIG })
    await using files = await serveFile(rack, file)

    const signal = AbortSignal.timeout(DEADLINE_MS)
    const [timeline] = await deploy(rack, image, { node: nodeWith('acme', files.url), signal })

    test.diagnostic(JSON.stringify(timeline?.stages))
    assert.deepEqual(stepsOf(timeline), ['deploy', 'acme_write', ...AFTERWARDS])
    const { provision_state, deploy_interface, last_error } = await showNode(rack, 'rack-1')
    assert.deepEqual([provision_state, deploy_interface, last_error], ['active', 'custom-agent', null])
  })
})
