import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type Event,
  STATES,
  stateAfter,
  targetAfter,
  VERBS,
  type Verb,
  verbFor,
} from '../../../appliance/conductor/states/state-machine.ts'
import type { ProvisionState } from '../../../appliance/records/kinds/node.ts'
import { someNode } from '../records/state-folder.ts'

/** Ironic's table, state by state: each target that may be asked for, and where it leads. Every other is refused. */
const IRONIC: Readonly<Record<ProvisionState, Readonly<Record<string, ProvisionState>>>> = {
  enroll: { manage: 'verifying' },
  verifying: {},
  manageable: { provide: 'cleaning', clean: 'cleaning', inspect: 'inspecting', adopt: 'adopting' },
  available: { active: 'deploying', deploy: 'deploying', manage: 'manageable' },
  cleaning: {},
  'clean wait': { abort: 'clean failed' },
  'clean hold': { unhold: 'clean wait', abort: 'clean failed' },
  'clean failed': { manage: 'manageable' },
  inspecting: {},
  'inspect wait': { abort: 'inspect failed' },
  'inspect failed': { inspect: 'inspecting', manage: 'manageable' },
  adopting: {},
  'adopt failed': { adopt: 'adopting', manage: 'manageable' },
  deploying: {},
  'wait call-back': { deleted: 'deleting', undeploy: 'deleting', abort: 'deploy failed' },
  'deploy hold': { unhold: 'wait call-back', abort: 'deploy failed' },
  'deploy failed': {
    active: 'deploying',
    deploy: 'deploying',
    rebuild: 'deploying',
    deleted: 'deleting',
    undeploy: 'deleting',
  },
  active: { rebuild: 'deploying', deleted: 'deleting', undeploy: 'deleting', rescue: 'rescuing', service: 'servicing' },
  deleting: {},
  error: { rebuild: 'deploying', deleted: 'deleting', undeploy: 'deleting' },
  rescue: { rescue: 'rescuing', unrescue: 'unrescuing', deleted: 'deleting', undeploy: 'deleting' },
  rescuing: {},
  'rescue wait': { abort: 'rescue failed', deleted: 'deleting', undeploy: 'deleting' },
  'rescue failed': { rescue: 'rescuing', unrescue: 'unrescuing', deleted: 'deleting', undeploy: 'deleting' },
  unrescuing: {},
  'unrescue failed': { rescue: 'rescuing', unrescue: 'unrescuing', deleted: 'deleting', undeploy: 'deleting' },
  servicing: {},
  'service wait': { abort: 'service failed', deleted: 'deleting', undeploy: 'deleting' },
  'service hold': { unhold: 'service wait', abort: 'service failed', service: 'servicing' },
  'service failed': {
    service: 'servicing',
    rescue: 'rescuing',
    deleted: 'deleting',
    undeploy: 'deleting',
    abort: 'active',
  },
}
const states = Object.keys(IRONIC) as ProvisionState[]
const refusal = (uuid: string, target: string, state: string) => ({
  name: 'InvalidStateRequested',
  code: 400,
  message: `The requested action "${target}" can not be performed on node "${uuid}" while it is in state "${state}".`,
})

describe('provision state machine', () => {
  it('has the states that Ironic has', () => {
    assert.deepEqual(Object.keys(STATES).sort(), [...states].sort())
  })

  for (const state of states) {
    it(`takes in state "${state}" the verbs that Ironic takes, and leads where they lead`, () => {
      const node = someNode({ provision_state: state })

      for (const target of Object.keys(VERBS)) {
        const wanted = IRONIC[state][target]
        if (wanted) assert.equal(stateAfter(state, verbFor(node, target)), wanted)
        else assert.throws(() => verbFor(node, target), refusal(node.uuid, target, state))
      }
    })
  }

  it('refuses a verb that there is not', () => {
    const node = someNode({ provision_state: 'available' })

    for (const target of ['constructor', '__proto__', '', 'Active'])
      assert.throws(() => verbFor(node, target), refusal(node.uuid, target, 'available'))
  })

  it('leads a deploy between deploying and wait call-back to its end', () => {
    const ways: [ProvisionState, Event | Verb, ProvisionState][] = [
      ['deploying', 'wait', 'wait call-back'],
      ['wait call-back', 'resume', 'deploying'],
      ['deploying', 'done', 'active'],
      ['deploying', 'fail', 'deploy failed'],
      ['wait call-back', 'fail', 'deploy failed'],
    ]
    for (const [from, way, to] of ways) assert.equal(stateAfter(from, way), to)
  })

  it('has a target in every state that passes, and none in one that stays', () => {
    const targetOf = (to: ProvisionState) =>
      targetAfter({ provision_state: 'active', target_provision_state: null }, 'done', to)

    const staying = states.filter((state) => targetOf(state) === null)

    assert.deepEqual(staying.sort(), ['active', 'available', 'enroll', 'error', 'manageable', 'rescue'])
    assert.equal(targetOf('wait call-back'), 'active')
    assert.equal(targetOf('deleting'), 'available')
  })

  it('keeps manageable as the target of a cleaning that was asked for, to its end', () => {
    const manual = { provision_state: 'cleaning', target_provision_state: 'manageable' } as const

    assert.equal(
      targetAfter({ provision_state: 'manageable', target_provision_state: null }, 'clean', 'cleaning'),
      'manageable',
    )
    assert.equal(targetAfter(manual, 'wait', 'clean wait'), 'manageable')
    assert.equal(targetAfter(manual, 'fail', 'clean failed'), 'manageable')
    assert.equal(targetAfter(manual, 'manage', 'manageable'), null)
    assert.equal(
      targetAfter({ provision_state: 'manageable', target_provision_state: null }, 'provide', 'cleaning'),
      'available',
    )
  })
})
