/**
 * The list of procedures: everything that runs steps on a machine. A new one is a row here, made in a folder of its
 * own, and its states in states/state-machine.ts with `in`.
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
import { VERIFY } from './verify/verify.ts'

export const PROCEDURES: readonly Procedure[] = [DEPLOY, CLEAN, INSPECT, SERVICE, RESCUE, VERIFY]
