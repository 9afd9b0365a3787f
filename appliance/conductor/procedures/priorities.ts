/** What the configuration says about the priorities of clean steps. */
import type { Config } from '../../config/options.ts'

const OVERRIDE = /^([a-z]+\.\w+)\s*:\s*(\d{1,9})$/

/** By interface.step: what stands above the priority of the agent or the plugin. */
export type Priorities = Readonly<Record<string, number>>

/** Unparsable overrides are ignored here; problemOfPriorities reports them before start-up. */
export function prioritiesOf({ deploy, conductor }: Pick<Config, 'deploy' | 'conductor'>): Priorities {
  const overrides = conductor.clean_step_priority_override.flatMap((text) => {
    const [, key, priority] = OVERRIDE.exec(text) ?? []
    return key === undefined ? [] : [[key, Number(priority)] as const]
  })
  const metadata = deploy.erase_devices_metadata_priority
  return {
    'deploy.erase_devices': deploy.erase_devices_priority,
    ...(metadata === undefined ? {} : { 'deploy.erase_devices_metadata': metadata }),
    ...Object.fromEntries(overrides),
  }
}

/** @returns one sentence, when an override cannot be read */
export function problemOfPriorities({ conductor }: Pick<Config, 'conductor'>): string | undefined {
  const wrong = conductor.clean_step_priority_override.find((text) => !OVERRIDE.test(text))
  if (wrong === undefined) return undefined
  return `[conductor] clean_step_priority_override holds "${wrong}": expected interface.step:priority, e.g. deploy.erase_devices_express:95.`
}
