/**
 * The list of procedures: everything that runs steps on a machine. A new one is a row here, made in a folder of its own, and its states
 * in states/state-machine.ts. The verb manage (verify) and tear-down run no steps yet, and are in verbs/.
 */
import { CLEAN } from './clean/clean.ts'
import { DEPLOY } from './deploy/deploy.ts'
import type { Procedure } from './steps/procedure.ts'

export const PROCEDURES: readonly Procedure[] = [DEPLOY, CLEAN]
