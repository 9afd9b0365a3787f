/**
 * The list of procedures: everything that runs steps on a machine. A new one is a row here, made in a folder of its
 * own, and its states in states/state-machine.ts with `in`. What the rows to come give, beside what the type asks for:
 * - verify (the verb manage; no waiting state, a failure is enroll): steps of interfaces by priority, no agent, no
 *   abort. Reading the power state, now verbs/verify.ts, is then its first step.
 *
 * Reserved steps (hold, wait, power_on, power_off, reboot) belong to each row whose request names steps: the engine
 * runs them itself (steps/reserved.ts).
 * @source Ironic conductor/servicing.py, verify.py, steps.py, utils.py; common/states.py
 */
import { CLEAN } from './clean/clean.ts'
import { DEPLOY } from './deploy/deploy.ts'
import { INSPECT } from './inspect/inspect.ts'
import { RESCUE } from './rescue/rescue.ts'
import { SERVICE } from './service/service.ts'
import type { Procedure } from './steps/procedure.ts'

export const PROCEDURES: readonly Procedure[] = [DEPLOY, CLEAN, INSPECT, SERVICE, RESCUE]
