/**
 * Errors in the wire's shape: a string that holds JSON (CONTRIBUTING.md, Errors). The one place that turns errors into
 * answers.
 */
import { maskText } from '@appliance/ground/secret-words'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { LoginRefused, type Refused } from '../access/refusals.ts'
import { ApplianceError, MethodNotAllowed, ServiceUnavailable } from '../errors.ts'
import type { Log } from '../log.ts'
import { UnsupportedVersion } from './microversions.ts'
import type { Call } from './parts.ts'

export function answerError(call: Call, error: unknown, log: Log): Response {
  const request_id = call.get('request_id')
  if (error instanceof UnsupportedVersion) {
    return answer(call, 406, { code: 406, title: 'Not Acceptable', description: error.message })
  }
  if (error instanceof ApplianceError) {
    if (error instanceof MethodNotAllowed) call.header('allow', error.allowed.join(', '))
    if (error instanceof ServiceUnavailable) call.header('retry-after', String(error.retry_after_s))
    if (error.code >= 500) log.warn('api request refused', { request_id, path: call.req.path, error })
    return answer(call, error.code, fault(error.code, maskText(error.message)))
  }
  log.error('api request failed', { request_id, method: call.req.method, path: call.req.path, error })
  const text = `The appliance failed on this request. Its log says why, under request id ${request_id}.`
  return answer(call, 500, fault(500, text))
}

/** What is refused before a call has begun. @source Ironic common/auth_basic.py, of log-ins */
export function refusalOf(error: Refused): Response {
  const { code, headers, message } = error
  const body = error instanceof LoginRefused ? { error: { message, code } } : wrapped(fault(code, message))
  return Response.json(body, { status: code, headers })
}

const fault = (code: number, faultstring: string) => ({
  faultcode: code >= 500 ? 'Server' : 'Client',
  faultstring,
  debuginfo: null,
})

const wrapped = (body: object) => ({ error_message: JSON.stringify(body) })
const answer = (call: Call, code: number, body: object) => call.json(wrapped(body), code as ContentfulStatusCode)
