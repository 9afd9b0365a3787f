/** The refusals that clients of Ironic know by name and code. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as errors from '../../appliance/errors.ts'

describe('an expected refusal', () => {
  it('has the name and the HTTP code of Ironic', () => {
    const codes = Object.entries(errors)
      .filter(([, value]) => Object.prototype.isPrototypeOf.call(Error, value))
      .map(([name, Refusal]) => {
        const error = new (Refusal as typeof errors.ApplianceError)('text')
        assert.equal(error.name, name)
        assert.ok(error instanceof errors.ApplianceError)
        return [name, error.code]
      })

    assert.deepEqual(Object.fromEntries(codes), {
      ApplianceError: 500,
      InvalidParameterValue: 400,
      MissingParameterValue: 400,
      InvalidStateRequested: 400,
      NotFound: 404,
      NotAcceptable: 406,
      MethodNotAllowed: 405,
      Conflict: 409,
      NodeLocked: 409,
      Forbidden: 403,
      PayloadTooLarge: 413,
      InsufficientStorage: 507,
      BmcFailure: 502,
      AgentFailure: 502,
      ImageUnacceptable: 400,
      DeployFailure: 500,
      UnsupportedDriverExtension: 400,
      ServiceUnavailable: 503,
    })
  })

  it('keeps what caused it', () => {
    const cause = new Error('inner')

    assert.equal(new errors.BmcFailure('outer', { cause }).cause, cause)
  })
})

describe('the text of anything thrown', () => {
  it('is the message of an error, and whatever else it is as a text', () => {
    assert.equal(errors.messageOf(new errors.NotFound('gone')), 'gone')
    assert.equal(errors.messageOf('text'), 'text')
    assert.equal(errors.messageOf(undefined), 'undefined')
    assert.equal(errors.messageOf({ a: 1 }), '[object Object]')
  })
})
