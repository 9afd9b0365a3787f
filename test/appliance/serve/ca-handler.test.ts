import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { casOf } from '../../../appliance/serve/ca-handler.ts'

describe('CAs of several servers', () => {
  it('are one after the other, each once, whether or not their files end with a newline', () => {
    assert.equal(casOf('A', undefined, 'B\n', 'A\n'), 'A\nB\n')
    assert.equal(casOf(undefined, undefined), undefined)
  })
})
