/** What went wrong with a BMC, as one sentence for the operator: what was found, what to do. Quotes no secret. */
import { codeOf } from '@appliance/ground/errno'
import { AddressRefused } from '@appliance/ground/reach'
import { maskText } from '@appliance/ground/secret-words'
import { BmcFailure, messageOf } from '../../errors.ts'
import type { RedfishAccess } from './access.ts'
import { listAt, textAt } from './members.ts'

type Told = {
  /** HTTP status of the answer; left out: there was none. */
  status?: number
  /** What the BMC names its errors by, such as Base.1.8.ActionParameterValueConflict. */
  message_ids?: readonly string[]
  /** Seconds after which the BMC wants to be asked again. */
  retry_after_s?: number | undefined
  /** Nothing of the request has reached the BMC. */
  unsent?: boolean
  cause?: unknown
}

export class RedfishFailure extends BmcFailure {
  readonly status: number | undefined
  readonly message_ids: readonly string[]
  readonly retry_after_s: number | undefined
  readonly isUnsent: boolean

  constructor(message: string, { status, message_ids = [], retry_after_s, unsent = false, cause }: Told = {}) {
    super(message, { cause })
    this.status = status
    this.message_ids = message_ids
    this.retry_after_s = retry_after_s
    this.isUnsent = unsent
  }

  /** By the last part of a name: their first parts have versions. */
  names(message_id: string): boolean {
    return this.message_ids.some((each) => each.split('.').at(-1) === message_id)
  }
}

export const bmcOf = ({ origin, node }: RedfishAccess) => `The BMC ${origin} of node ${node}`

/** Before anything was said. */
const UNSENT: Readonly<Record<string, (bmc: string) => string>> = {
  ECONNREFUSED: (bmc) =>
    `${bmc} refuses the connection: the machine at that address is up, but no BMC listens there. Check redfish_address in driver_info, and that Redfish is enabled on the BMC.`,
  UND_ERR_CONNECT_TIMEOUT: (bmc) => silent(bmc),
  EHOSTUNREACH: (bmc) => silent(bmc),
  ENETUNREACH: (bmc) => silent(bmc),
  ETIMEDOUT: (bmc) => silent(bmc),
  ENOTFOUND: (bmc) => nameless(bmc),
  EAI_AGAIN: (bmc) => nameless(bmc),
}
const silent = (bmc: string) =>
  `${bmc} does not answer. Check redfish_address in driver_info, and that the BMC has power and network.`
const nameless = (bmc: string) =>
  `${bmc} has no address: the name in driver_info/redfish_address is not known. Correct it.`

const CERTIFICATE =
  /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_CA)/
const TLS = /^(?:ERR_SSL_|EPROTO$|ERR_TLS_)/
/** Leaves out Node's advice on its own flags. */
const NODE_ADVICE = /; if the root CA is installed locally.*$/

/** Below HTTP. @param timeout_s  how long an answer was waited for */
export function connectionFailure(access: RedfishAccess, error: unknown, timeout_s: number): RedfishFailure {
  const cause = error instanceof AggregateError ? error.errors[0] : error
  const bmc = bmcOf(access)
  if (cause instanceof AddressRefused) {
    // Nor would another try be let there.
    return new RedfishFailure(`${bmc} is not asked: ${cause.message}.`, { cause })
  }
  const code = codeOf(cause) ?? ''
  const unsent = UNSENT[code]
  if (unsent) return new RedfishFailure(unsent(bmc), { unsent: true, cause })
  const words = messageOf(cause).replace(NODE_ADVICE, '').slice(0, LONGEST_QUOTE)
  if (CERTIFICATE.test(code)) {
    return new RedfishFailure(
      `${bmc} shows a certificate that is not trusted (${words}). Set redfish_verify_ca in driver_info to the file of its CA, or to False.`,
      { cause },
    )
  }
  if (TLS.test(code)) {
    return new RedfishFailure(
      `${bmc} and this box agree on no TLS (${words}). Check the scheme and the port of redfish_address, and redfish_tls_minimum_version, in driver_info.`,
      { cause },
    )
  }
  if (/TIMEOUT$|^ABORT_ERR$/.test(code) || (cause instanceof Error && cause.name === 'TimeoutError')) {
    return new RedfishFailure(`${bmc} took the request, and did not answer within ${timeout_s} s.`, { cause })
  }
  if (/^HPE_/.test(code)) {
    return new RedfishFailure(
      `${bmc} answers, but not in HTTP (${words}). Check the scheme and the port of redfish_address in driver_info.`,
      { cause },
    )
  }
  return new RedfishFailure(`${bmc} broke the connection (${words || code}).`, { cause })
}

const LONGEST_QUOTE = 300
const LONGEST_LIST = 10

/** The BMC answered that it did not do it. */
export function refusal(
  access: RedfishAccess,
  what: string,
  answer: { status: number; body: unknown; retry_after_s: number | undefined },
): RedfishFailure {
  const { status, body, retry_after_s } = answer
  const { message_ids, words } = errorIn(body)
  const told = { status, message_ids, retry_after_s }
  const bmc = bmcOf(access)
  const account = access.username === '' ? 'nobody (no redfish_username)' : `user '${access.username}'`
  if (status === 401) {
    return new RedfishFailure(
      `${bmc} does not accept the password of ${account}. Set redfish_username and redfish_password in driver_info.`,
      told,
    )
  }
  if (status === 403) {
    return new RedfishFailure(
      `${bmc} gives ${account} too few rights for ${what}${words && `: ${words}`}. Make it an administrator on the BMC.`,
      told,
    )
  }
  return new RedfishFailure(`${bmc} answered ${what} with HTTP ${status}${words && `: ${words}`}`, told)
}

/** @source DSP0266 section 8.7, error responses; what is most severe is told first, as sushy does */
function errorIn(body: unknown): { message_ids: readonly string[]; words: string } {
  const told = listAt(body, 'error', '@Message.ExtendedInfo').slice(0, LONGEST_LIST)
  const of = (entry: unknown) => textAt(entry, 'Message') ?? textAt(entry, 'MessageId')
  const worst = ['Critical', 'Warning'].flatMap((severity) =>
    told.filter((entry) => [textAt(entry, 'Severity'), textAt(entry, 'MessageSeverity')].includes(severity)),
  )
  const words = [...worst, ...told].map(of).find((each) => each !== undefined) ?? textAt(body, 'error', 'message') ?? ''
  const ids = [textAt(body, 'error', 'code'), ...told.map((entry) => textAt(entry, 'MessageId'))]
  return {
    message_ids: ids.filter((each) => each !== undefined),
    words: maskText(words).replace(/\s+/g, ' ').trim().slice(0, LONGEST_QUOTE),
  }
}

/** What was opened with the BMC may be of no use now: the next call begins anew. @source Ironic SessionCache */
export const isOver = (error: unknown): boolean =>
  !(error instanceof RedfishFailure) || error.status === undefined || error.status === 401 || error.status === 403
