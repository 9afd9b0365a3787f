/** BIOS settings by Redfish. What speaks to the BMC is loaded with the first call. */
import type { Json } from '../../plugin-api/index.ts'
import type { BiosInterface, InterfaceStep, InterfaceStepTask } from '../../plugin-api/interfaces.ts'
import { REDFISH_BOUND_SECRETS, REDFISH_PROPERTIES } from '../redfish/access.ts'
import type { Redfish } from '../redfish/redfish.ts'

const OF = ['clean', 'deploy', 'service'] as const satisfies InterfaceStep['of']
const LOOKS = 10
const PAUSE_S = 3

/** @source Ironic drivers/modules/redfish/bios.py RedfishBIOS */
export function redfishBios({ at, validate }: Redfish): BiosInterface {
  const bios = () => import('../redfish/bios.ts')

  /** After the boot that was to apply them. @throws what BMC and settings are not agreed on */
  async function check(task: InterfaceStepTask, wanted: Json): Promise<void> {
    await at(task, async (bmc) => {
      const { unappliedOf } = await bios()
      for (let look = 1; ; look++) {
        const left = await unappliedOf(bmc, wanted)
        if (left.length === 0) return
        if (look >= LOOKS) throw bmc.failure(`did not apply these BIOS settings: ${left.join(', ')}.`)
        await bmc.pause(PAUSE_S)
      }
    })
  }

  return {
    name: 'redfish',
    properties: REDFISH_PROPERTIES,
    boundSecrets: REDFISH_BOUND_SECRETS,
    validate: (task) => validate(task),
    getSettings: (task) => at(task, async (bmc) => (await bios()).readBios(bmc)),
    steps: [
      {
        step: 'apply_configuration',
        of: OF,
        priority: 0,
        argsInfo: { settings: { description: 'BIOS settings: a list of {name, value}.', required: true } },
        requiresAgent: true,
        again: true,
        async run(task, { settings }) {
          const wanted = await at(task, async (bmc) => (await bios()).changeBios(bmc, settings))
          if (Object.keys(wanted).length === 0) return { done: true }
          await task.remember({ redfish_bios_wanted: wanted })
          await restart(task)
          return { wait: 'agent-boot', note: 'BIOS settings are applied' }
        },
        async resume(task) {
          await check(task, (task.node.driver_internal_info.redfish_bios_wanted ?? {}) as Json)
          await task.remember({ redfish_bios_wanted: undefined })
          return { done: true }
        },
      },
      {
        step: 'factory_reset',
        of: OF,
        priority: 0,
        requiresAgent: true,
        async run(task) {
          await at(task, async (bmc) => (await bios()).resetBios(bmc))
          await restart(task)
          return { wait: 'agent-boot', note: 'BIOS settings are reset' }
        },
      },
    ],
  }
}

/** Also where the agent lives, and would be left alone. */
async function restart(task: InterfaceStepTask): Promise<void> {
  if (!task.power.staysOn) await task.power.off()
  await task.boot.agent()
}
