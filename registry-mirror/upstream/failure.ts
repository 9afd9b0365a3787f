/** Why an upstream failed, and the answer to a client when nothing is cached. */
import { type OciError, upstreamFailed } from '../oci/errors.ts'

/**
 * dead: no connection, or it broke; slow: no answer in time; limited: 429; failing: 5xx; refused: 401 or 403;
 * lying: an answer that is not what it says it is; too large: we do not want it; forbidden: an address that is not to
 * be connected to
 */
export type FailureKind = 'dead' | 'slow' | 'limited' | 'failing' | 'refused' | 'lying' | 'too large' | 'forbidden'

const STATUS: Readonly<Record<FailureKind, number>> = {
  dead: 503,
  slow: 504,
  limited: 429,
  failing: 502,
  refused: 403,
  lying: 502,
  'too large': 403,
  forbidden: 403,
}
const RETRY_AFTER_S = 5
/** To ask again later is of no use. */
const FINAL: readonly FailureKind[] = ['refused', 'too large', 'forbidden']

export class UpstreamFailure extends Error {
  readonly kind: FailureKind
  readonly retry_after_s: number | undefined
  /** Status of the upstream's answer, where it matters. */
  readonly status: number | undefined

  /**
   * @param message  a whole sentence that names the upstream; goes to logs and clients, so that it contains no secret
   */
  constructor(
    kind: FailureKind,
    message: string,
    more: { retry_after_s?: number; status?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause })
    this.kind = kind
    this.retry_after_s = more.retry_after_s
    this.status = more.status
  }

  override get name(): string {
    return this.constructor.name
  }
}

/** The answer to a client. */
export const refusalOf = ({ kind, message, retry_after_s }: UpstreamFailure): OciError =>
  upstreamFailed(message, STATUS[kind], FINAL.includes(kind) ? undefined : (retry_after_s ?? RETRY_AFTER_S))
