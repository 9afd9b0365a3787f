/** A box whose deploy ramdisk is missing or broken: everybody who asks is told at once, and no machine is touched. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { checkRamdisk } from '../../../pxe/index.ts'
import { layRamdisk } from '../../pxe/ramdisk-on-paper.ts'
import { bmcByHand, startTrial } from './trial.ts'

async function box(t: TestContext, ini = '') {
  const folder = mkdtempSync(join(tmpdir(), 'no-ramdisk-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const { hand, driver } = bmcByHand()
  const trial = await startTrial(t, { ini, bmc: driver, checkRamdisk: (wanted) => checkRamdisk(folder, wanted) })
  const why = `There is no deploy ramdisk: ${folder}/ramdisk.json cannot be read (ENOENT). Build one with "rackstrap ramdisk build --output ${folder}", or correct [pxe] ramdisk_path.`
  const build = () => layRamdisk(folder)
  return { trial, hand, folder, why, build }
}

describe('box without a deploy ramdisk', () => {
  it('says so to validate, as the boot interface', async (t) => {
    const { trial, why } = await box(t)
    const { uuid } = await trial.createNode()

    const { boot, deploy } = await trial.conductor.validate(uuid)

    assert.deepEqual(boot, { result: false, reason: why })
    assert.deepEqual(deploy, { result: true })
  })

  const AUTOMATED = '[conductor]\nautomated_clean = true\n'
  const clean_steps = [{ interface: 'deploy', step: 'erase_devices_metadata' }]
  const asked = [
    { state: 'available', request: { target: 'active' }, ini: '', before: 'Failed to validate deploy or power info' },
    { state: 'active', request: { target: 'rebuild' }, ini: '', before: 'Failed to validate deploy or power info' },
    { state: 'manageable', request: { target: 'clean', clean_steps }, ini: '', before: 'Validation of node' },
    { state: 'manageable', request: { target: 'provide' }, ini: AUTOMATED, before: 'There is no deploy ramdisk' },
  ] as const
  for (const { state, request, ini, before } of asked) {
    it(`refuses ${request.target} of a node that is ${state} with a 400, and leaves it as it is`, async (t) => {
      const { trial, hand, why } = await box(t, ini)
      const { uuid } = await trial.createNode({ provision_state: state })

      await assert.rejects(trial.conductor.provision(uuid, request as never), (error: Error & { code?: number }) => {
        assert.equal(error.code, 400)
        assert.ok(error.message.startsWith(before) && error.message.endsWith(why), error.message)
        return true
      })

      assert.equal(trial.node(uuid).provision_state, state)
      assert.deepEqual(hand.switched, [])
    })
  }

  it('provides without it when nothing is to be cleaned', async (t) => {
    const { trial } = await box(t)
    const { uuid } = await trial.createNode({ provision_state: 'manageable' })

    await trial.conductor.provision(uuid, { target: 'provide' })

    assert.equal(trial.node(uuid).provision_state, 'available')
  })

  it('ends the wait of a node whose boot it refuses, at once and in that sentence', async (t) => {
    const { trial, build, why } = await box(t)
    build()
    const { uuid } = await trial.createNode()
    await trial.conductor.provision(uuid, { target: 'active' })
    await trial.untilState(uuid, 'wait call-back')

    trial.conductor.bootRefused(uuid, why)
    const node = await trial.untilState(uuid, 'deploy failed')

    assert.equal(node.last_error, `The machine cannot boot the deploy ramdisk. ${why}`)
    assert.equal(node.power_state, 'power off')
  })

  it('leaves a node alone that does not wait for its agent', async (t) => {
    const { trial, why } = await box(t)
    const { uuid } = await trial.createNode({ provision_state: 'active' })

    trial.conductor.bootRefused(uuid, why)
    trial.conductor.bootRefused('1be26c0b-03f2-4d2e-ae87-c02d7f33c123', why)
    await trial.conductor.withNode(uuid, 'look', async () => {})

    assert.equal(trial.node(uuid).provision_state, 'active')
    assert.equal(trial.node(uuid).last_error, null)
  })
})
