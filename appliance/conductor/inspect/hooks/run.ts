/** Runs the enabled hooks over what was found. Writes nothing. @source Ironic inspect_utils.run_inspection_hooks */
import type { Config } from '../../../config/options.ts'
import { ApplianceError, DeployFailure, InvalidParameterValue, messageOf } from '../../../errors.ts'
import type { Hook, Inspection } from './hook.ts'
import { HOOKS } from './table.ts'

/**
 * @param names  of [inspector] hooks
 * @throws InvalidParameterValue  there is no such hook, or one stands before another that it needs
 */
export function hooksOf(names: readonly string[]): readonly (readonly [name: string, hook: Hook])[] {
  return names.map((name, index) => {
    const hook = Object.hasOwn(HOOKS, name) ? HOOKS[name] : undefined
    if (!hook) {
      const there = Object.keys(HOOKS).join(', ')
      throw new InvalidParameterValue(`[inspector] hooks has "${name}", which is none. There are: ${there}.`)
    }
    const missing = (hook.after ?? []).filter((other) => !names.slice(0, index).includes(other))
    if (missing.length > 0) {
      throw new InvalidParameterValue(
        `[inspector] hooks: ${name} needs ${missing.join(', ')} before it. Add that in front of it.`,
      )
    }
    return [name, hook]
  })
}

/** For the start, and `config check`. @returns undefined: there is none */
export function problemOfHooks({ inspector }: Pick<Config, 'inspector'>): string | undefined {
  try {
    hooksOf(inspector.hooks)
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

/** @throws DeployFailure  in the words of the hook; all that `preprocess` found */
export async function runHooks(inspection: Inspection): Promise<void> {
  const hooks = hooksOf(inspection.options.hooks)
  const failures = hooks.flatMap(([name, hook]) => {
    try {
      hook.preprocess?.(inspection)
      return []
    } catch (error) {
      if (!(error instanceof ApplianceError)) throw error
      return [`Error in preprocess hook ${name}: ${messageOf(error)}`]
    }
  })
  if (failures.length > 0) throw new DeployFailure(failures.join('; '))
  for (const [name, hook] of hooks) {
    try {
      await hook.run?.(inspection)
    } catch (error) {
      if (!(error instanceof ApplianceError)) throw error
      throw new DeployFailure(`Error in hook ${name}: ${messageOf(error)}`, { cause: error })
    }
  }
}
