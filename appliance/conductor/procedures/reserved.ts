/**
 * Names of steps that the engine itself runs, whatever interface stands before them: they switch the machine, pause, or
 * give an operator the word. Runs none of them.
 * @source Ironic conductor/steps.py RESERVED_STEP_HANDLER_MAPPING, use_reserved_step_handler
 */
import { InvalidParameterValue } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'

const ARGUMENTS = { hold: [], wait: ['seconds'], power_on: [], power_off: [], reboot: [] } as const satisfies Record<
  string,
  readonly string[]
>
export type ReservedName = keyof typeof ARGUMENTS

type Named = { interface: string; step: string }

export const isReserved = <S extends Named>(step: S): step is S & { step: ReservedName } =>
  Object.hasOwn(ARGUMENTS, step.step)

/** @param field  of the request @throws InvalidParameterValue  before anything begins */
export function checkReserved(field: string, { interface: of, step, args }: Named & { args: Json }): void {
  if (!isReserved({ interface: of, step })) return
  const known: readonly string[] = ARGUMENTS[step as ReservedName]
  const strange = Object.keys(args).filter((name) => !known.includes(name))
  if (strange.length > 0) {
    throw new InvalidParameterValue(
      `${field}: step ${of}.${step} has these unexpected arguments: ${strange.join(', ').slice(0, 200)}`,
    )
  }
  if ('seconds' in args && secondsOf(args) === undefined) {
    throw new InvalidParameterValue(
      `${field}: seconds of step ${of}.${step} is ${JSON.stringify(args.seconds)?.slice(0, 100)}: a whole number from 0 is expected.`,
    )
  }
}

/** How long a step `wait` is; undefined: until the next heartbeat. */
export function secondsOf({ seconds }: Json): number | undefined {
  // Clients write numbers as texts, and so does Ironic's own example.
  const number = typeof seconds === 'string' && /^\d{1,9}$/.test(seconds) ? Number(seconds) : seconds
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 ? number : undefined
}
