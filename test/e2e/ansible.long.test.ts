/** Ironic's own playbooks, unchanged, deploy and clean a machine through the deploy interface ansible. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { run } from '../rack/run-program.ts'
import { deployByIronic } from './ansible-ironic.ts'
import { ANSIBLE_DEADLINE_MS } from './ansible-own.ts'
import { PREPARE_DEADLINE_MS, reachedBy, showNode } from './racks.ts'

describe("Ironic's own playbooks", () => {
  it('write a raw image as it streams, with a config drive, and clean the machine', {
    timeout: PREPARE_DEADLINE_MS + 2 * ANSIBLE_DEADLINE_MS,
  }, async (test) => {
    const rack = await deployByIronic(test, 'raw')

    await rack.baremetal('node', 'set', 'rack-1', '--automated-clean')
    const { uuid } = await showNode(rack, 'rack-1')
    const wanted = {
      uuid: String(uuid),
      states: ['available', 'clean failed', 'error'],
      timeout_s: ANSIBLE_DEADLINE_MS / 1000,
    }
    await reachedBy(rack, ['node', 'undeploy', 'rack-1'], wanted)

    const { provision_state, last_error } = await showNode(rack, 'rack-1')
    assert.deepEqual([provision_state, last_error], ['available', null])
    assert.equal(await run('wipefs', ['--noheadings', rack.hardware.machines[0]?.disk ?? '']), '')
  })

  it('download a qcow2 image, and convert it to the disk, with a config drive', {
    timeout: PREPARE_DEADLINE_MS + ANSIBLE_DEADLINE_MS,
  }, async (test) => {
    await deployByIronic(test, 'qcow2')
  })
})
