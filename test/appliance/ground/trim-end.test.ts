import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { trimEnd } from '../../../appliance/ground/trim-end.ts'

describe('the end of a text', () => {
  for (const [text, expected] of [
    ['/v1/nodes///', '/v1/nodes'],
    ['///', ''],
    ['', ''],
    ['//a', '//a'],
  ] as const) {
    it(`of ${JSON.stringify(text)} without slashes leaves ${JSON.stringify(expected)}`, () => {
      assert.equal(trimEnd(text, '/'), expected)
    })
  }
})
