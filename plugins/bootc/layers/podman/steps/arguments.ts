/** The arguments of the step bootc_install, checked: parts of them become lines of files and words of commands. */
import { type FinishArguments, finishArguments } from '../../disk-tools/steps/finish.ts'

export type Mirror = {
  /** <host:port>/quay.io/org/app */
  location: string
  /** <host:port> */
  registry: string
  insecure: boolean
  /** PEM */
  ca: string | undefined
  ticket: { username: string; password: string } | undefined
}
export type InstallArguments = {
  /** The container's name out in the world, with its tag: what the installed system follows. */
  reference: string
  digest: string
  mirror: Mirror
  /**
   * Where podman keeps the image for as long as the install takes: the end of the disk itself, or another disk, which
   * is emptied.
   */
  scratch: 'target' | `/dev/${string}`
  tpm2_luks: boolean
  /** Of the compressed image, and how many layers it has; both for showing progress only. */
  size_bytes: number | undefined
  layers: number | undefined
  timeout_s: number
  /** Left out: the disk is left as bootc made it. */
  finish: FinishArguments | undefined
}

type Given = Readonly<Record<string, unknown>>

const REFERENCE =
  /^[a-z0-9][\w.-]*(:\d{1,5})?(\/[a-z0-9][a-z0-9._-]*)+(:\w[\w.-]{0,127})?(@sha(256|512):[0-9a-f]{64,128})?$/i
const LOCATION = /^[\w.[\]:-]{1,255}(\/[\w.-]+)*$/
const DIGEST = /^sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$/
const DISK = /^\/dev\/[a-z][a-z0-9]{1,30}$/
const STANDARD_TIMEOUT_S = 2 * 3600
const LONGEST_TIMEOUT_S = 24 * 3600

export const isReference = (value: unknown): value is string => typeof value === 'string' && REFERENCE.test(value)

/** @throws Error  the first argument that is wrong */
export function installArguments(args: Given): InstallArguments {
  const scratch = args.scratch ?? 'target'
  return {
    reference: matching('reference', args.reference, REFERENCE),
    digest: matching('digest', args.digest, DIGEST),
    mirror: mirrorOf(args.mirror),
    scratch: scratch === 'target' ? scratch : (matching('scratch', scratch, DISK) as `/dev/${string}`),
    tpm2_luks: args.tpm2_luks === true,
    size_bytes: typeof args.size_bytes === 'number' && args.size_bytes > 0 ? args.size_bytes : undefined,
    layers: Array.isArray(args.layers) ? args.layers.length : undefined,
    timeout_s: timeoutOf(args.timeout_s ?? STANDARD_TIMEOUT_S),
    finish:
      args.finish === undefined || args.finish === null ? undefined : finishArguments(objectOf('finish', args.finish)),
  }
}

function mirrorOf(value: unknown): Mirror {
  const { location, registry, insecure, ca, ticket } = objectOf('mirror', value)
  const given = ticket === undefined || ticket === null ? undefined : objectOf('mirror.ticket', ticket)
  return {
    location: matching('mirror.location', location, LOCATION),
    registry: matching('mirror.registry', registry, LOCATION),
    insecure: insecure === true,
    ca: typeof ca === 'string' && ca !== '' ? ca : undefined,
    ticket: given && {
      username: matching('mirror.ticket.username', given.username, /^[^:\s]{1,255}$/),
      password: matching('mirror.ticket.password', given.password, /^\S{1,4096}$/, 'it is no password'),
    },
  }
}

function timeoutOf(value: unknown): number {
  if (typeof value === 'number' && value >= 1 && value <= LONGEST_TIMEOUT_S) return value
  throw new Error(
    `The step's argument timeout_s is ${JSON.stringify(value)}: a number from 1 to ${LONGEST_TIMEOUT_S} is wanted.`,
  )
}

function objectOf(name: string, value: unknown): Given {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Given
  throw new Error(`The step's argument ${name} is missing, or is no object.`)
}

/** @param instead  for what must not be shown */
function matching(name: string, value: unknown, pattern: RegExp, instead?: string): string {
  if (typeof value === 'string' && pattern.test(value)) return value
  throw new Error(`The step's argument ${name} cannot be used: ${instead ?? JSON.stringify(value) ?? 'it is missing'}.`)
}
