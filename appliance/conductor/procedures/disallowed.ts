/** Steps that the operator of this box forbids, whoever asks for them. */
import type { Config } from '../../config/options.ts'
import { InvalidParameterValue } from '../../errors.ts'
import type { ProcedureKind } from '../../plugin-api/index.ts'

type Named = { interface: string; step: string }

/** [api] disallow_clean_steps and its siblings; the other procedures have none. */
function disallowed({ api }: Pick<Config, 'api'>, kind: ProcedureKind): readonly string[] {
  switch (kind) {
    case 'clean':
      return api.disallow_clean_steps
    case 'deploy':
      return api.disallow_deploy_steps
    case 'service':
      return api.disallow_service_steps
    default:
      return []
  }
}

/** What runs by itself is left out without a word, as in Ironic. @source Ironic conductor/steps.py set_node_*_steps */
export function allowedOf<S extends Named>(config: Pick<Config, 'api'>, kind: ProcedureKind, steps: readonly S[]): S[] {
  const names = disallowed(config, kind)
  return steps.filter((step) => !names.includes(`${step.interface}.${step.step}`))
}

/** @throws InvalidParameterValue  a request names one. @source Ironic StepNotAllowed */
export function checkAllowed(config: Pick<Config, 'api'>, kind: ProcedureKind, steps: readonly Named[]): void {
  const allowed = allowedOf(config, kind, steps)
  const refused = steps.find((step) => !allowed.includes(step))
  if (!refused) return
  throw new InvalidParameterValue(
    `${kind} step '${refused.interface}.${refused.step}' is not allowed. ` +
      `Disallowed by operator configuration [api]disallow_${kind}_steps.`,
  )
}
