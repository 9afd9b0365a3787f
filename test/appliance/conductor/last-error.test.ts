import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { lastErrorOf } from '../../../appliance/conductor/states/last-error.ts'
import { BmcFailure } from '../../../appliance/errors.ts'
import type { DeployPlugin, Step } from '../../../appliance/plugin-api/index.ts'
import { bmcByHand, INSTANCE, imagesOnPaper, startTrial } from './trial.ts'

const CONDUCTOR = join(import.meta.dirname, '../../../appliance/conductor')
const ESCAPE = String.fromCharCode(27)
/** A BMC, a plugin or a server may say this. */
const HOSTILE = `${ESCAPE}[31mBMC ${ESCAPE}]0;title${String.fromCharCode(7)} said\r\npassword=hunter2 at https://root:hunter2@bmc/ ${'x'.repeat(1_000_000)}`

function assertHarmless(last_error: string | null): void {
  assert.match(String(last_error), /BMC .*said password=\*+ at https:\/\/root:\*+@bmc\/ x+/)
  assert.doesNotMatch(String(last_error), /\p{Cc}|hunter2/u)
  assert.ok(String(last_error).length <= 4000)
}

const failing = async (): Promise<never> => {
  throw new BmcFailure(HOSTILE)
}
const plugin = (change: Partial<DeployPlugin>): DeployPlugin => ({
  apiVersion: '1',
  name: 'direct',
  options: {},
  usesAgent: false,
  validate: async () => {},
  deploySteps: () => [],
  ...change,
})
const step = (change: Partial<Step>): Step => ({ step: 'x', priority: 10, run: failing, ...change })

describe('last_error', () => {
  it('has neither secrets nor control characters, and is cut to size', () => {
    const text = lastErrorOf(new Error(HOSTILE))

    assertHarmless(text)
    assert.ok(text.startsWith('BMC'))
  })

  it('leaves a plain sentence as it is', () => {
    const text = 'The image [deploy] http://a/b of node 5f2c is "x": expected y.'

    assert.equal(lastErrorOf(new Error(text)), text)
  })

  it('is written by the handle of a node alone; allocations have their own', () => {
    const writers = globSync('**/*.ts', { cwd: CONDUCTOR, exclude: ['allocations/**'] }).filter((file) =>
      /\blast_error\s*:/.test(readFileSync(join(CONDUCTOR, file), 'utf8')),
    )

    assert.deepEqual(writers, ['states/node-handle.ts'])
  })

  it('is harmless when a step fails, and when a plugin prepares', async (t) => {
    for (const change of [{ deploySteps: () => [step({})] }, { prepare: failing }]) {
      const trial = await startTrial(t, { plugins: [plugin(change)] })
      const { uuid } = await trial.createNode()

      await trial.conductor.provision(uuid, { target: 'active' })

      assertHarmless((await trial.untilState(uuid, 'deploy failed')).last_error)
    }
  })

  it('is harmless when an image cannot be had', async (t) => {
    const images = imagesOnPaper({ resolve: failing })
    const waits = step({
      async run(task) {
        task.images.prefetch()
        return { wait: 'callback' }
      },
    })
    const trial = await startTrial(t, { images, plugins: [plugin({ deploySteps: () => [waits] })] })
    const { uuid } = await trial.createNode({ instance_info: INSTANCE })

    await trial.conductor.provision(uuid, { target: 'active' })

    assertHarmless((await trial.untilState(uuid, 'deploy failed')).last_error)
  })

  it('is harmless when a cleaning fails, and so is the reason for its maintenance', async (t) => {
    const trial = await startTrial(t, {
      ini: '[conductor]\nautomated_clean = true\n',
      plugins: [plugin({ cleanSteps: () => [step({})] })],
    })
    const { uuid } = await trial.createNode({
      provision_state: 'manageable',
      driver_internal_info: { cleaning_disable_ramdisk: true },
    })

    await trial.conductor.provision(uuid, {
      target: 'clean',
      clean_steps: [{ interface: 'deploy', step: 'x' }],
      disable_ramdisk: true,
    })
    const node = await trial.untilState(uuid, 'clean failed')

    assertHarmless(node.last_error)
    assertHarmless(node.maintenance_reason)
  })

  it('is harmless when a BMC fails: at manage, at a power action, at a tear-down and at the end of a cleaning', async (t) => {
    const { driver } = bmcByHand()
    const bmc = { ...driver, getPowerState: failing, setPowerState: failing }
    const trial = await startTrial(t, { bmc, ini: '[conductor]\nautomated_clean = true\n' })

    const verified = await trial.createNode({ provision_state: 'enroll' }, null)
    await trial.conductor.provision(verified.uuid, { target: 'manage' })
    const switched = await trial.createNode({ provision_state: 'manageable' }, null)
    await trial.conductor.power(switched.uuid, 'power on')
    await trial.untilLine('power action failed')
    const torn = await trial.createNode({ provision_state: 'active' }, null)
    await trial.conductor.provision(torn.uuid, { target: 'deleted' })
    const cleaned = await trial.createNode({ provision_state: 'manageable' })
    await trial.conductor.provision(cleaned.uuid, { target: 'provide' })

    await trial.until('verified', () => trial.node(verified.uuid).last_error)
    assertHarmless(trial.node(verified.uuid).last_error)
    assertHarmless(trial.node(switched.uuid).last_error)
    assertHarmless((await trial.untilState(torn.uuid, 'error')).last_error)
    assertHarmless((await trial.untilState(cleaned.uuid, 'clean failed')).last_error)
  })
})
