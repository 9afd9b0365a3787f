/** A stranger's power interface, from its folder to the machine that it switches. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it, type TestContext } from 'node:test'
import { createHardware } from '../../../appliance/hardware/hardware.ts'
import { createLog } from '../../../appliance/log.ts'
import type { PowerInterface } from '../../../appliance/plugin-api/interfaces.ts'
import { testPowerInterface } from '../../../appliance/plugin-testing/power-interface.ts'
import { problemsOf } from '../../../appliance/serve/check-settings.ts'
import { startTrial } from '../conductor/trial.ts'
import { nodeOnPaper } from '../hardware/node-on-paper.ts'
import { layPlugin, manifestOf, pluginPath } from '../plugin-host/plugin-folder.ts'
import { settingsOf } from './settings.ts'

const LEVER = join(import.meta.dirname, '../plugin-testing/fixtures/lever')
const iniWith = (path: string, more = '') => `[DEFAULT]
plugin_path = ${path}
enabled_hardware_types = manual-management, fake-hardware
enabled_power_interfaces = agent, fake, lever
${more}`

function leverFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'lever-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'lever')
  writeFileSync(file, 'down')
  return file
}

async function hardwareWith(ini: string) {
  const settings = await settingsOf(ini)
  const { config, interfaces } = settings
  return { settings, hardware: createHardware({ config, log: createLog('error', () => {}), plugins: interfaces }) }
}

describe('power plugin of a stranger', async () => {
  const { hardware } = await hardwareWith(iniWith(LEVER))
  const power = hardware.find('power', 'lever') as PowerInterface
  const folder = mkdtempSync(join(tmpdir(), 'lever-'))
  after(() => rmSync(folder, { recursive: true }))

  describe('is like any other', () => {
    testPowerInterface(() => {
      const lever = join(folder, 'lever')
      writeFileSync(lever, 'down')
      const options = { lever_word: 'up' }
      const withOptions: PowerInterface = {
        ...power,
        getPowerState: (task) => power.getPowerState({ ...task, options }),
        setPowerState: (task, target) => power.setPowerState({ ...task, options }, target),
      }
      return { power: withOptions, node: () => nodeOnPaper({ driver_info: { lever } }), record: () => {} }
    })
  })

  it('is offered to the hardware types that its manifest names, after their own', () => {
    assert.deepEqual(hardware.allowed.get('manual-management')?.power, ['agent', 'fake', 'lever'])
    assert.deepEqual(hardware.allowed.get('fake-hardware')?.power, ['fake'])
  })

  it('is what a node that names it is switched by, with its options, and the words of the node', async (t) => {
    const lever = leverFile(t)
    const ini = iniWith(LEVER)
    const trial = await startTrial(t, { hardware, ini, option_values: () => ({ lever_word: 'up' }) })
    const { uuid } = await trial.createNode({
      driver: 'manual-management',
      interfaces: trial.conductor.chooseInterfaces('manual-management', { power: 'lever' }),
      driver_info: { lever, lever_word: 'upwards' },
    })

    await trial.conductor.power(uuid, 'power on')
    await trial.untilLine('power changed', { power_state: 'power on' })
    const { power: result } = await trial.conductor.validate(uuid)

    assert.equal(readFileSync(lever, 'utf8'), 'upwards')
    assert.deepEqual(result, { result: true })
    const [manual] = trial.conductor.drivers()
    assert.equal(manual?.properties.lever, 'File that says where the lever is. Required.')
  })

  it('says in its own words what a node lacks', async (t) => {
    const trial = await startTrial(t, { hardware, ini: iniWith(LEVER) })
    const { uuid } = await trial.createNode({
      driver: 'manual-management',
      interfaces: trial.conductor.chooseInterfaces('manual-management', { power: 'lever' }),
    })

    const { power: result } = await trial.conductor.validate(uuid)

    assert.deepEqual(result, {
      result: false,
      reason: `driver_info/lever of node ${uuid} is missing: name the file of its lever.`,
    })
  })

  it('has its options in the configuration', async () => {
    const { settings } = await hardwareWith(iniWith(LEVER, '[lever]\nlever_word = oben\n'))

    assert.deepEqual(settings.pluginValues['power/lever'], { lever_word: 'oben' })
    assert.deepEqual(settings.warnings, [])
  })
})

describe('interface plugin that is not as it must be', () => {
  const code = (name: string) => `export default { apiVersion: '1', name: '${name}', options: {}, validate() {} }\n`
  const manifest = (name: string) => manifestOf(name, { appliance: { kind: 'power', name, apiVersion: '1' } })

  it('is left out with the reason, and the rest starts', async (t) => {
    const path = pluginPath(t)
    const folder = layPlugin(path, 'lever', { manifest: manifest('lever'), code: code('lever') })

    const { settings, hardware } = await hardwareWith(iniWith(path))

    assert.deepEqual(settings.plugins.failures, [
      {
        name: 'lever',
        reason:
          `plugin ${join(folder, 'index.ts')} is refused: getPowerState is of type undefined, and a function is expected; ` +
          'setPowerState is of type undefined, and a function is expected',
      },
    ])
    assert.deepEqual(problemsOf(settings), [])
    assert.equal(hardware.find('power', 'lever'), undefined)
  })

  it('does not take the place of one of ours', async (t) => {
    const path = pluginPath(t)
    const folder = layPlugin(path, 'agent', { manifest: manifest('agent'), code: code('agent') })

    const { settings, hardware } = await hardwareWith(iniWith(path).replace(', lever', ''))

    assert.deepEqual(settings.plugins.failures, [
      {
        name: 'agent',
        reason: `${folder} holds a power plugin named "agent", as the appliance's own is: give it another name`,
      },
    ])
    assert.equal(hardware.find('power', 'agent')?.supportsPowerSync, false)
  })

  it('is told by config check when nobody has it', async () => {
    const settings = await settingsOf('[DEFAULT]\nenabled_power_interfaces = ipmitool, fake, lever\n')

    assert.equal(problemsOf(settings).length, 1)
    assert.match(
      problemsOf(settings)[0] ?? '',
      /rackstrap\.conf:2: \[DEFAULT\] enabled_power_interfaces names "lever": expected some of agent, fake, ipmitool, redfish\.$/,
    )
  })
})
