import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { plainAddress } from '../../../appliance/ground/plain-address.ts'

describe('address in one spelling', () => {
  const spellings: readonly (readonly [text: string, plain: string])[] = [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['[::ffff:192.0.2.1]', '192.0.2.1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['[2001:DB8:0:0:0:0:0:1]', '2001:db8::1'],
    ['machine.example', 'machine.example'],
    ['', ''],
  ]
  for (const [text, plain] of spellings) {
    it(`is "${plain}" for "${text}"`, () => {
      assert.equal(plainAddress(text), plain)
    })
  }
})
