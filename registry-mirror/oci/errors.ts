/**
 * What the registry refuses: one constructor for each error code of the distribution specification. Of HTTP it knows
 * the status alone.
 */

/** The registry cannot do what the operator wants; the message is for the operator. */
export class RegistryError extends Error {
  override get name(): string {
    return this.constructor.name
  }
}

export type OciCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'
  // For what the specification has no code for, as Docker's registry says it.
  | 'UNKNOWN'

type More = { detail?: unknown; headers?: Readonly<Record<string, string>> }

/** An expected refusal: goes to the client as it is, never to the log as an error. */
export class OciError extends Error {
  readonly code: OciCode
  readonly status: number
  readonly detail: unknown
  readonly headers: Readonly<Record<string, string>>

  constructor(code: OciCode, status: number, message: string, { detail, headers = {} }: More = {}) {
    super(message)
    this.code = code
    this.status = status
    this.detail = detail
    this.headers = headers
  }

  override get name(): string {
    return this.constructor.name
  }
}

export const blobUnknown = (name: string, digest: string) =>
  new OciError('BLOB_UNKNOWN', 404, `Repository ${name} has no blob ${digest}.`, { detail: { digest } })

export const uploadInvalid = (message: string) => new OciError('BLOB_UPLOAD_INVALID', 400, message)

/** RFC 9110 section 15.5.17; `location` and `range` tell the client where to go on. */
export const chunkOutOfOrder = (message: string, headers: Readonly<Record<string, string>>) =>
  new OciError('BLOB_UPLOAD_INVALID', 416, message, { headers })

export const uploadUnknown = (name: string, id: string) =>
  new OciError(
    'BLOB_UPLOAD_UNKNOWN',
    404,
    `Repository ${name} has no upload ${id}: it ended, was cancelled or has expired.`,
  )

export const digestInvalid = (message: string, detail?: unknown) =>
  new OciError('DIGEST_INVALID', 400, message, { detail })

export const manifestBlobUnknown = (name: string, digests: readonly string[]) =>
  new OciError(
    'MANIFEST_BLOB_UNKNOWN',
    400,
    `The manifest refers to blobs that repository ${name} does not have: ${digests.slice(0, 5).join(', ')}` +
      `${digests.length > 5 ? ` and ${digests.length - 5} more` : ''}. Push them first.`,
    { detail: digests.map((digest) => ({ digest })) },
  )

export const manifestInvalid = (message: string) => new OciError('MANIFEST_INVALID', 400, message)

export const manifestTooLarge = (limit_bytes: number) =>
  new OciError('SIZE_INVALID', 413, `The manifest is larger than ${limit_bytes} bytes, the limit of this registry.`)

export const blobTooLarge = (limit_bytes: number) =>
  new OciError(
    'SIZE_INVALID',
    413,
    `The blob is larger than ${limit_bytes / 1024 ** 2} MiB, the limit of this registry ([registry] max_blob_size).`,
  )

export const manifestUnknown = (name: string, reference: string) =>
  new OciError('MANIFEST_UNKNOWN', 404, `Repository ${name} has no manifest ${reference}.`, { detail: { reference } })

/** RFC 9110 section 13: the condition that the client set does not hold. */
export const conditionFailed = (message: string) => new OciError('MANIFEST_INVALID', 412, message)

export const nameInvalid = (name: string) =>
  new OciError(
    'NAME_INVALID',
    400,
    `'${name}' cannot name a repository: expected lower-case words of letters and digits, parted by '/', '.', '_' or '-', at most 255 characters.`,
    { detail: { name } },
  )

export const nameUnknown = (name: string) =>
  new OciError('NAME_UNKNOWN', 404, `There is no repository ${name}.`, { detail: { name } })

export const sizeInvalid = (message: string) => new OciError('SIZE_INVALID', 400, message)

export const tooManyTags = (limit: number) =>
  new OciError('UNSUPPORTED', 414, `More than ${limit} tags in one request. Push the others in further requests.`)

export const unauthorized = (message: string, challenge: string) =>
  new OciError('UNAUTHORIZED', 401, message, { headers: { 'www-authenticate': challenge } })

export const denied = (message: string) => new OciError('DENIED', 403, message)

export const unsupported = (message: string) => new OciError('UNSUPPORTED', 400, message)

export const methodNotAllowed = (method: string, allowed: readonly string[]) =>
  new OciError('UNSUPPORTED', 405, `${method} is not done here; ${allowed.join(', ')} are.`, {
    headers: { allow: allowed.join(', ') },
  })

export const tooManyRequests = (message: string, retry_after_s: number) =>
  new OciError('TOOMANYREQUESTS', 429, message, { headers: { 'retry-after': String(retry_after_s) } })

/** What an upstream did not give and nothing here can stand in for. */
export const upstreamFailed = (message: string, status: number, retry_after_s: number | undefined) =>
  new OciError(status === 429 ? 'TOOMANYREQUESTS' : status === 403 ? 'DENIED' : 'UNKNOWN', status, message, {
    headers: retry_after_s === undefined ? {} : { 'retry-after': String(retry_after_s) },
  })
