/** The kit as the conductor hands it to deploySteps: the agent's ready-made steps, which do nothing here. */
import { imageInfo } from '../conductor/steps/image-info.ts'
import type { Kit, Step } from '../plugin-api/index.ts'

/** @source plugin-api Kit.agentFlow */
const AGENT_FLOW: readonly (readonly [step: string, priority: number])[] = [
  ['deploy', 100],
  ['prepare_instance_boot', 60],
  ['tear_down_agent', 40],
  ['switch_to_tenant_network', 30],
  ['boot_instance', 20],
]
const NAMES = AGENT_FLOW.map(([step]) => step)

export type KitOnPaper = {
  kit: Kit
  /** Steps that the plugin brings itself; those of the kit are the conductor's affair. */
  isOwn(step: Step): boolean
}

export function createKitOnPaper(): KitOnPaper {
  const made = new Set<Step>()
  const ready = (step: string, priority: number): Step => {
    const one: Step = { step, priority, run: async () => ({ done: true }) }
    made.add(one)
    return one
  }
  return {
    kit: {
      agentFlow({ without = [] } = {}) {
        const unknown = without.filter((name) => !NAMES.includes(name))
        if (unknown.length > 0)
          throw new Error(`agentFlow has no step ${unknown.join(', ')}; it has ${NAMES.join(', ')}`)
        return AGENT_FLOW.filter(([step]) => !without.includes(step)).map(([step, priority]) => ready(step, priority))
      },
      imageInfo,
    },
    isOwn: (step) => !made.has(step),
  }
}

/** Without the ready-made steps: what a plugin brings itself. */
export const BARE_KIT: Kit = { agentFlow: () => [], imageInfo }

/** PRIORITY NAME of each step, in the order in which they run. */
export const inOrder = (steps: readonly Pick<Step, 'step' | 'priority'>[]): string[] =>
  steps.toSorted((one, other) => other.priority - one.priority).map(({ step, priority }) => `${priority} ${step}`)
