/** The ramdisk layers that an operator names, beside those of a deploy interface. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Json } from '../../../appliance/plugin-api/index.ts'
import type { AskedStep } from '../../../appliance/records/kinds/internal-info.ts'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { pluginOf } from './odd-plugin.ts'
import { createBooting, MAC, startTrial } from './trial.ts'

type Given = { ini?: string; driver_info?: Json; node?: Partial<Node> }

async function layersOf(t: TestContext, { ini = '', driver_info = {}, node = {} }: Given) {
  const trial = await startTrial(t, { ini, plugins: [pluginOf({ ramdiskLayers: ['sshd'] })] })
  await createBooting(trial, { provision_state: 'wait call-back', driver_info, ...node })
  const boot = trial.conductor.machineBootOf(MAC)
  return boot.kind === 'agent' ? boot.layers : []
}

describe('[pxe] ramdisk_layers', () => {
  const INI = '[pxe]\nramdisk_layers = acme, burn-in\n'

  it('come after those of the deploy interface, each once', async (t) => {
    const layers = await layersOf(t, { ini: '[pxe]\nramdisk_layers = acme, sshd\n' })

    assert.deepEqual(layers, ['sshd', 'acme'])
  })

  const OWN: [given: unknown, layers: string[]][] = [
    [['raid'], ['sshd', 'raid']],
    ['raid, acme', ['sshd', 'raid', 'acme']],
    ['', ['sshd']],
    [null, ['sshd', 'acme', 'burn-in']],
  ]
  for (const [given, expected] of OWN)
    it(`are for a node with driver_info/ramdisk_layers ${JSON.stringify(given)}: ${expected}`, async (t) => {
      const layers = await layersOf(t, { ini: INI, driver_info: { ramdisk_layers: given } })

      assert.deepEqual(layers, expected)
    })

  for (const given of [7, { acme: true }, ['acme', 7]])
    it(`says to validate what is wrong with driver_info/ramdisk_layers ${JSON.stringify(given)}`, async (t) => {
      const trial = await startTrial(t)
      const { uuid } = await trial.createNode({ driver_info: { ramdisk_layers: given } })

      const { boot } = await trial.conductor.validate(uuid)

      assert.deepEqual(boot, {
        result: false,
        reason: `driver_info/ramdisk_layers of node ${uuid} is ${JSON.stringify(given)}: expected names of layers, as a list or separated by commas.`,
      })
    })
})

describe("layers of pxe's own", () => {
  const cases = {
    'a cleaning by itself': [{ provision_state: 'clean wait', driver_internal_info: {} }, ['sshd']],
    'a cleaning by steps that erase': [
      { provision_state: 'clean wait', driver_internal_info: { user_clean_steps: [step('erase_devices')] } },
      ['sshd', 'rackstrap-erase'],
    ],
    'a burn-in while it is cleaned': [
      {
        provision_state: 'clean wait',
        driver_internal_info: { user_clean_steps: ['burnin_cpu', 'burnin_memory', 'burnin_disk'].map(step) },
      },
      ['sshd', 'rackstrap-stress-ng', 'rackstrap-fio', 'rackstrap-erase'],
    ],
    'a burn-in while it is in service': [
      { provision_state: 'service wait', driver_internal_info: { user_service_steps: [step('burnin_network')] } },
      ['sshd', 'rackstrap-fio'],
    ],
    'a rescue, to which those of the deploy interface do not belong': [
      { provision_state: 'rescue wait', driver_internal_info: {} },
      ['rackstrap-rescue'],
    ],
  } as const satisfies Record<string, readonly [Partial<Node>, readonly string[]]>
  for (const [what, [node, expected]] of Object.entries(cases))
    it(`are there for ${what}`, async (t) => {
      assert.deepEqual(await layersOf(t, { node }), expected)
    })

  it('are there for what the configuration has every cleaning do', async (t) => {
    const ini = '[deploy]\nerase_devices_priority = 10\n'

    const layers = await layersOf(t, { ini, node: { provision_state: 'clean wait' } })

    assert.deepEqual(layers, ['sshd', 'rackstrap-erase'])
  })
})

function step(name: string): AskedStep {
  return { interface: 'deploy', step: name, args: {}, priority: 10 }
}
