import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { DeployPlugin } from '../../../appliance/plugin-api/index.ts'
import { newBoot } from '../../../appliance/records/kinds/boot.ts'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { bmcByHand, MAC, startTrial } from './trial.ts'

const plugin = (adopt?: DeployPlugin['adopt']): DeployPlugin => ({
  ...{ apiVersion: '1', name: 'direct', options: {}, usesAgent: true, validate: async () => {} },
  deploySteps: () => [],
  ...(adopt && { adopt }),
})

async function manageable(t: TestContext, adopt?: DeployPlugin['adopt'], fields: Partial<Node> = {}) {
  const { hand, driver } = bmcByHand()
  hand.state = 'power on'
  const trial = await startTrial(t, { bmc: driver, plugins: [plugin(adopt)] })
  const { uuid } = await trial.createNode({ provision_state: 'manageable', power_state: 'power on', ...fields })
  return { trial, uuid, hand, adopt: () => trial.conductor.provision(uuid, { target: 'adopt' }) }
}

describe('adopt', () => {
  it('makes the node active, switches nothing, and has its machine boot from its disk', async (t) => {
    const { trial, uuid, hand, adopt } = await manageable(t)
    await trial.store.boots.create(newBoot(uuid, { agent: true }))

    await adopt()
    const node = await trial.untilState(uuid, 'active')

    assert.deepEqual(trial.states(), ['adopting', 'active'])
    assert.deepEqual([hand.switched, hand.devices], [[], []])
    assert.deepEqual([node.power_state, node.last_error, node.target_provision_state], ['power on', null, null])
    assert.equal(trial.conductor.machineBootOf(MAC).kind, 'disk')
  })

  it('asks the deploy interface what its machine boots from this box', async (t) => {
    const file = {
      name: '',
      href: 'http://x/k',
      field: 'f',
      url: '',
      format: 'raw',
      size_bytes: 1,
      checksum: undefined,
    }
    const { trial, uuid, hand, adopt } = await manageable(t, (task) =>
      task.boot.instance({ kernel: { ...file, name: `${task.node.uuid}.k` } as never }),
    )

    await adopt()
    await trial.untilState(uuid, 'active')

    assert.equal(trial.conductor.machineBootOf(MAC).kind, 'kernel')
    assert.deepEqual(hand.switched, [])
  })

  it('fails with the reason, forgets the power state, and can be asked for again', async (t) => {
    let isThere = false
    const { trial, uuid, adopt } = await manageable(t, async (task) => {
      if (!isThere) throw task.failure('instance_info/boot_iso is missing')
    })

    await adopt()
    const failed = await trial.untilState(uuid, 'adopt failed')
    isThere = true
    await adopt()

    assert.equal(failed.last_error, `Error while attempting to adopt node ${uuid}: instance_info/boot_iso is missing.`)
    assert.equal(failed.power_state, null)
    await trial.untilState(uuid, 'active')
  })

  it('goes on after a restart', async (t) => {
    const { trial, uuid } = await manageable(t, undefined, { provision_state: 'adopting' })

    await trial.conductor.recover()

    await trial.untilState(uuid, 'active')
  })
})
