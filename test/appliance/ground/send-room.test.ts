import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SendRoom } from '../../../appliance/ground/send-room.ts'

const KIB = 1024

describe('the room of what is sent', () => {
  it('gives what is wanted while there is much left, and ever less to those who come later', () => {
    const room = new SendRoom(4096 * KIB)

    const first = room.take(512 * KIB)
    const later = Array.from({ length: 100 }, () => room.take(512 * KIB))

    assert.equal(first, 512 * KIB)
    assert.deepEqual(later.slice(0, 3), [448 * KIB, 392 * KIB, 343 * KIB])
    assert.equal(later.at(-1), 32 * KIB)
  })

  it('gives all again when all was given back', () => {
    const room = new SendRoom(4096 * KIB)
    const taken = Array.from({ length: 100 }, () => room.take(512 * KIB))

    for (const bytes of taken) room.give(bytes)

    assert.equal(room.take(512 * KIB), 512 * KIB)
  })

  it('gives no more than is wanted', () => {
    assert.equal(new SendRoom().take(10), 10)
  })
})
