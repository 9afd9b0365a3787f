/** What the configuration says about the priorities of clean and verify steps. */
import type { Config } from '../../config/options.ts'

const OVERRIDE = /^([a-z]+\.\w+)\s*:\s*(\d{1,9})$/

/** By interface.step: what stands above the priority of the agent or the plugin. */
export type Priorities = Readonly<Record<string, number>>

/** Unparsable overrides are ignored here; problemOfPriorities reports them before start-up. */
export function prioritiesOf({ deploy, conductor }: Pick<Config, 'deploy' | 'conductor'>): Priorities {
  const metadata = deploy.erase_devices_metadata_priority
  return {
    'deploy.erase_devices': deploy.erase_devices_priority,
    ...(metadata === undefined ? {} : { 'deploy.erase_devices_metadata': metadata }),
    ...overridesOf(conductor.clean_step_priority_override),
  }
}

/** @param texts  as `interface.step:priority` */
export const overridesOf = (texts: readonly string[]): Priorities =>
  Object.fromEntries(
    texts.flatMap((text) => {
      const [, key, priority] = OVERRIDE.exec(text) ?? []
      return key === undefined ? [] : [[key, Number(priority)] as const]
    }),
  )

/** @returns one sentence, when an override cannot be read */
export function problemOfPriorities({ conductor }: Pick<Config, 'conductor'>): string | undefined {
  for (const option of ['clean_step_priority_override', 'verify_step_priority_override'] as const) {
    const wrong = conductor[option].find((text) => !OVERRIDE.test(text))
    if (wrong === undefined) continue
    return `[conductor] ${option} holds "${wrong}": expected interface.step:priority, e.g. deploy.erase_devices_express:95.`
  }
  return undefined
}
