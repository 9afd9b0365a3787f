import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readBoolean } from '../../../appliance/ground/booleans.ts'

describe('a boolean', () => {
  it('is read in every word that Ironic reads, whatever its case', () => {
    for (const word of [true, 1, '1', 't', 'True', 'ON', ' y ', 'yes']) assert.equal(readBoolean(word), true, `${word}`)
    for (const word of [false, 0, '0', 'f', 'False', 'off', 'n', 'No'])
      assert.equal(readBoolean(word), false, `${word}`)
  })

  it('is not made of anything else', () => {
    for (const value of [undefined, null, '', 'perhaps', 2, [], [true], { true: true }])
      assert.equal(readBoolean(value), undefined, JSON.stringify(value))
  })
})
