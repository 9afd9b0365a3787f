/**
 * The program that kill.e2e.test.ts kills: a store and a conductor on machines of fake-hardware, with a door for
 * agents. Log lines go to standard output. Nodes may name a place where their work hangs for ever, so that there is
 * time to kill it.
 */

import { startConductor } from '../../../appliance/conductor/start.ts'
import { fakePower } from '../../../appliance/hardware/power/fake.ts'
import { createLog } from '../../../appliance/log.ts'
import type { DeployPlugin, Json } from '../../../appliance/plugin-api/index.ts'
import { createHistories } from '../../../appliance/records/histories.ts'
import { createInspections } from '../../../appliance/records/inspections.ts'
import { type Node, newNode } from '../../../appliance/records/kinds/node.ts'
import { newPort } from '../../../appliance/records/kinds/port.ts'
import { openStore } from '../../../appliance/records/open-store.ts'
import direct from '../../../plugins/direct/index.ts'
import { type BmcOnPaper, hardwareOnPaper } from '../hardware/hardware-on-paper.ts'
import { writeAll } from '../write-all.ts'
import { openDoor, tell } from './killed-door.ts'
import { configOf, INSTANCE, imagesOnPaper } from './trial.ts'

const [state_path = '', hangs = ''] = process.argv.slice(2)

/** Each node says in its properties where it hangs: at a call of its BMC, or of the plugin. */
async function passOrHang(node: { uuid: string; properties: Json }, place: string): Promise<void> {
  if (hangs !== 'hangs' || place !== node.properties.hang_at) return
  tell('hangs', { node: node.uuid, place })
  await new Promise(() => {})
}

const bmc: BmcOnPaper = {
  async getPowerState(task) {
    const { provision_state } = store.nodes.find(task.node.uuid)
    await passOrHang(task.node, `read in ${provision_state}`)
    return fakePower.getPowerState(task)
  },
  async setPowerState(task, target) {
    const { provision_state, deploy_step, driver_internal_info } = store.nodes.find(task.node.uuid)
    // After the first boot of a service there is an agent, or its steps are over.
    const isEnding = provision_state === 'servicing' && driver_internal_info.service_step_index !== undefined
    const step = deploy_step.step ? ` ${deploy_step.step}` : isEnding ? ' service' : ''
    await passOrHang(task.node, `${target} in ${provision_state}${step}`)
    return fakePower.setPowerState(task, target)
  },
}
const images = imagesOnPaper()
const whole = direct as unknown as DeployPlugin
const plugin: DeployPlugin = {
  ...whole,
  prepare: ({ node }) => passOrHang(node, 'prepare'),
  adopt: ({ node }) => passOrHang(node, 'adopt'),
  deploySteps: (kit) => [
    ...whole.deploySteps(kit).map((step) => ({
      ...step,
      async run(...given: Parameters<typeof step.run>) {
        const result = await step.run(...given)
        await passOrHang(given[0].node, `after ${step.step}`)
        return result
      },
    })),
    {
      step: 'only_once',
      priority: 70,
      async run({ node }) {
        await passOrHang(node, 'after only_once')
        return { done: true }
      },
    },
  ],
}

const store = await openStore({ state_path, log: createLog('error', () => {}) })
const config = configOf('[DEFAULT]\nenabled_rescue_interfaces = agent\nenabled_inspect_interfaces = agent\n')
const conductor = startConductor({
  hostname: 'rackstrap',
  store,
  config,
  log: createLog('info', (line) => writeAll(line)),
  hardware: hardwareOnPaper(config, bmc),
  images,
  plugins: [plugin],
  folder: `${state_path}/procedures`,
  inspections: createInspections(`${state_path}/inspections`),
  histories: createHistories(`${state_path}/histories`),
  api_url: () => 'http://127.0.0.1',
  http_url: () => 'http://127.0.0.1:8080',
})

openDoor({
  conductor,
  store,
  calls: {
    async create(provision_state: Node['provision_state'], address: string, hang_at: string) {
      const node = newNode({
        driver: 'fake-hardware',
        interfaces: conductor.chooseInterfaces('fake-hardware', {}),
        provision_state,
        automated_clean: provision_state === 'manageable',
        power_state: provision_state === 'active' || provision_state === 'rescue' ? 'power on' : 'power off',
        instance_info: INSTANCE,
        properties: { hang_at },
      })
      await store.nodes.create(node)
      await store.ports.create(newPort({ address, node_uuid: node.uuid }))
      return node.uuid
    },
  },
})
