/** Passwords by crypt(3) of the system, the cheapest that bcrypt has. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { hashPassword, likeHash, Passwords } from '../../../appliance/ground/passwords.ts'

const NEVER = () => new Error('too many')
const MINUTE_MS = 60_000

describe('a password that was right', () => {
  let hash: string
  before(async () => {
    hash = await hashPassword('secret words')
  })

  it('stays known while it is used, and for five minutes after', async (t) => {
    const passwords = new Passwords(NEVER)
    assert.equal(await passwords.isRight('secret words', hash), true)
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })

    for (let minute = 0; minute < 12; minute += 4) {
      t.mock.timers.tick(4 * MINUTE_MS)
      assert.equal(passwords.isKnownRight('secret words', hash), true, `after ${minute + 4} minutes`)
    }
    t.mock.timers.tick(6 * MINUTE_MS)

    assert.equal(passwords.isKnownRight('secret words', hash), false)
  })
})

describe('a wrong password', () => {
  it('of one name is checked anew for another: how long it takes tells no names', async () => {
    const like = likeHash('$2y$04$')
    const passwords = new Passwords(NEVER)
    const ask = (name: string) => passwords.isRight('a guess', like, name)
    assert.equal(await ask('nobody-1'), false)
    // As many as may be checked or wait: what has to be checked is refused now.
    const others = Array.from({ length: 52 }, (_, index) => passwords.isRight(`guess ${index}`, like))

    assert.equal(await ask('nobody-1'), false)
    await assert.rejects(ask('nobody-2'), { message: 'too many' })

    assert.ok((await Promise.all(others)).every((isRight) => !isRight))
  })
})
