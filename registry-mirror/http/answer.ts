/** Answers with a head alone or with a small body, and with the headers that all answers share. */
import type { ServerResponse } from 'node:http'
import type { OciCode, OciError } from '../oci/errors.ts'

export type Headers = Readonly<Record<string, string | number | readonly string[]>>

/** Docker's clients take only servers with this header for a registry. */
const COMMON = { 'docker-distribution-api-version': 'registry/2.0' } as const

export function head(response: ServerResponse, status: number, headers: Headers = {}): ServerResponse {
  return response.writeHead(status, { ...COMMON, ...headers } as Record<string, string>)
}

/** Sends an answer without a body. */
export function answer(response: ServerResponse, status: number, headers: Headers = {}): void {
  const hasLength = status !== 204 && status !== 304
  head(response, status, { ...(hasLength && { 'content-length': 0 }), ...headers }).end()
}

export function answerBytes(response: ServerResponse, bytes: Uint8Array, headers: Headers): void {
  head(response, 200, { 'content-length': bytes.length, ...headers })
  if (response.req.method === 'HEAD') response.end()
  else response.end(bytes)
}

export function answerJson(response: ServerResponse, body: unknown, headers: Headers = {}): void {
  answerBytes(response, Buffer.from(JSON.stringify(body)), { 'content-type': 'application/json', ...headers })
}

export function answerError(response: ServerResponse, error: OciError): void {
  answerErrors(response, error.status, error, error.headers)
}

/** Code UNKNOWN is for errors without a code in the specification, as in Docker's registry. */
export function answerErrors(
  response: ServerResponse,
  status: number,
  { code, message, detail }: { code: OciCode | 'UNKNOWN'; message: string; detail?: unknown },
  headers: Headers = {},
): void {
  const body = Buffer.from(JSON.stringify({ errors: [{ code, message, ...(detail !== undefined && { detail }) }] }))
  head(response, status, { 'content-type': 'application/json', 'content-length': body.length, ...headers })
  if (response.req.method === 'HEAD') response.end()
  else response.end(body)
}
