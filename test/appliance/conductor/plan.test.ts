import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DEPLOY } from '../../../appliance/conductor/deploy/deploy.ts'
import { planSteps, type Sources } from '../../../appliance/conductor/procedures/plan.ts'
import { parseAskedSteps } from '../../../appliance/conductor/procedures/request.ts'
import type { Step } from '../../../appliance/plugin-api/index.ts'
import type { AskedStep, OfferedStep, PlannedStep } from '../../../appliance/records/kinds/internal-info.ts'

const step = (name: string, priority: number, argsInfo?: Step['argsInfo']): Step => ({
  step: name,
  priority,
  ...(argsInfo ? { argsInfo } : {}),
  run: async () => ({ done: true }),
})
const offer = (name: string, priority: number, of = 'deploy', argsinfo: OfferedStep['argsinfo'] = {}): OfferedStep => ({
  interface: of,
  step: name,
  priority,
  reboot_requested: false,
  argsinfo,
})
const asked = (name: string, priority: number, args = {}) => ({ interface: 'deploy', step: name, priority, args })
const PLUGIN = [step('boot_instance', 20), step('write_image', 80), step('tear_down_agent', 40), step('deploy', 100)]
type Given = { plugin: readonly Step[]; offered: Sources['offered']; user: readonly AskedStep[] }
const planDeploy = ({ plugin, ...given }: Given, done: readonly PlannedStep[] = []) =>
  planSteps(
    'deploy',
    DEPLOY.rules({} as never, {} as never),
    { ...given, own: plugin.map((own) => ({ ...own, interface: 'deploy' })) },
    done,
  )
const names = (plan: readonly { interface: string; step: string }[]) => plan.map((s) => `${s.interface}.${s.step}`)

describe('order of deploy steps', () => {
  it('is from the highest priority to the lowest', () => {
    const plan = planDeploy({ plugin: PLUGIN, offered: [], user: [] })

    assert.deepEqual(
      plan.map(({ step: name }) => name),
      ['deploy', 'write_image', 'tear_down_agent', 'boot_instance'],
    )
  })

  it('at equal priority is vendor, power, management, firmware, deploy, bios, raid', () => {
    const offered = ['raid', 'bios', 'deploy', 'firmware', 'management', 'power', 'vendor'].map((of) =>
      offer('x', 50, of),
    )

    const plan = planDeploy({ plugin: [], offered, user: [] })

    assert.deepEqual(
      plan.map((s) => s.interface),
      ['vendor', 'power', 'management', 'firmware', 'deploy', 'bios', 'raid'],
    )
  })

  it("has the agent's own steps of priority 41 to 99, unless the plugin has one of that name", () => {
    const offered = [
      offer('low', 40),
      offer('first', 41),
      offer('last', 99),
      offer('high', 100),
      offer('write_image', 70),
    ]

    const plan = planDeploy({ plugin: PLUGIN, offered, user: [] })

    assert.deepEqual(names(plan), [
      'deploy.deploy',
      'deploy.last',
      'deploy.write_image',
      'deploy.first',
      'deploy.tear_down_agent',
      'deploy.boot_instance',
    ])
    assert.equal(plan.find((s) => s.step === 'write_image')?.priority, 80)
  })

  it('follows the priorities that were asked for; 0 leaves a step out', () => {
    const user = [asked('write_image', 0), asked('erase', 95, { deep: true })]
    const offered = [offer('erase', 0, 'deploy', { deep: { description: '' } })]

    const plan = planDeploy({ plugin: PLUGIN, offered, user })

    assert.deepEqual(names(plan), ['deploy.deploy', 'deploy.erase', 'deploy.tear_down_agent', 'deploy.boot_instance'])
    assert.deepEqual(plan[1]?.args, { deep: true })
  })

  it('leaves steps that only the agent can know until it has told', () => {
    const user = [asked('erase', 95)]

    const before = planDeploy({ plugin: PLUGIN, offered: undefined, user })
    const after = planDeploy({ plugin: PLUGIN, offered: [offer('erase', 0)], user }, before.slice(0, 1))

    assert.deepEqual(names(before)[1], 'deploy.write_image')
    assert.deepEqual(names(after), [
      'deploy.deploy',
      'deploy.erase',
      'deploy.write_image',
      'deploy.tear_down_agent',
      'deploy.boot_instance',
    ])
  })

  it('refuses a step that nobody has, and arguments that a step does not take or lacks', () => {
    const plugin = [step('write_image', 80, { image: { description: 'which', required: true } })]
    const plan = (user: ReturnType<typeof asked>[]) => () => planDeploy({ plugin, offered: [], user })

    assert.throws(plan([asked('brew', 90)]), {
      name: 'InvalidParameterValue',
      message: 'node does not support this deploy step: deploy.brew (it has deploy.write_image)',
    })
    assert.throws(plan([asked('write_image', 90, { image: 'x', speed: 9 })]), {
      message: 'deploy step deploy.write_image has these unexpected arguments: speed',
    })
    assert.throws(plan([asked('write_image', 90)]), {
      message: 'deploy step deploy.write_image is missing these required arguments: image',
    })
  })
})

describe('deploy_steps of a request', () => {
  it('are taken in the shape that Ironic has them', () => {
    const given = [{ interface: 'deploy', step: 'erase', priority: 90 }]

    assert.deepEqual(parseAskedSteps('deploy_steps', 'all', given), [asked('erase', 90)])
  })

  it('are refused in any other shape, and when one is named twice', () => {
    const right = { interface: 'deploy', step: 'erase', priority: 90, args: {} }
    for (const wrong of [
      { ...right, priority: -1 },
      { ...right, priority: 1.5 },
      { ...right, step: 7 },
      { ...right, args: [] },
      null,
    ]) {
      assert.throws(() => parseAskedSteps('deploy_steps', 'all', [wrong as never]), {
        name: 'InvalidParameterValue',
        message: /^deploy_steps holds /,
      })
    }
    assert.throws(() => parseAskedSteps('deploy_steps', 'all', [right, right]), {
      message: 'deploy_steps names deploy.erase more than once.',
    })
  })
})
