/** Runs the reserved steps: what they do to the machine, and what the node does then. */
import { DeployFailure } from '../../errors.ts'
import type { StepResult } from '../../plugin-api/index.ts'
import type { PlannedStep } from '../../records/kinds/internal-info.ts'
import type { Wait } from '../../records/kinds/node.ts'
import { checkPowerTarget } from '../power/power.ts'
import { isReserved, secondsOf } from '../procedures/reserved.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import { switchWithAgent } from '../task/machine.ts'
import type { ProcedureParts } from './procedure.ts'

/** What the engine alone may return of a step. `seconds`: instead of the procedure's own limit. */
export type EngineResult =
  | StepResult
  | { wait: Wait['for']; note?: string; seconds?: number }
  /** An operator has the next word. */
  | { hold: true }

const POWER = { power_on: 'power on', power_off: 'power off', reboot: 'rebooting' } as const

/** Run once more from its beginning when a restart cut it off. @throws BmcFailure, InvalidParameterValue */
export async function runReserved(
  parts: ProcedureParts,
  node: NodeHandle,
  planned: PlannedStep,
  signal: AbortSignal,
): Promise<EngineResult> {
  if (!isReserved(planned)) throw new DeployFailure(`${planned.step} is no reserved step`)
  const { step, args } = planned
  if (step === 'hold') return { hold: true }
  if (step === 'wait') return pause(parts, node, secondsOf(args))
  const target = POWER[step]
  checkPowerTarget(parts, node.record, target)
  const boots = await switchWithAgent(parts, node, target, signal)
  return boots ? { wait: 'heartbeat', note: 'waiting for the agent' } : { done: true }
}

function pause(
  { config, log }: Pick<ProcedureParts, 'config' | 'log'>,
  { uuid }: NodeHandle,
  asked: number | undefined,
): EngineResult {
  if (asked === undefined) return { wait: 'heartbeat', note: 'waiting for the next heartbeat' }
  const limit = config.conductor.max_conductor_wait_step_seconds
  const seconds = Math.min(asked, limit)
  if (asked > limit) {
    log.warn('pause of a step cut to [conductor] max_conductor_wait_step_seconds', { node: uuid, asked, seconds })
  }
  return { wait: 'time', note: `pausing for ${seconds} s`, seconds }
}
