import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { askSocket, listenOnSocket } from '../../../appliance/ground/json-socket.ts'

function socketPath(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'json-socket-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'a.sock')
}

describe('a socket for commands', () => {
  it('is for its owner alone, takes the place of one that was left over, and is gone when it is closed', async (t) => {
    const path = socketPath(t)
    writeFileSync(path, 'left over')

    const close = await listenOnSocket(path, { answer: async () => 'here' })
    const mode = statSync(path).mode & 0o777
    const reply = await askSocket(path, {})
    await close()

    assert.deepEqual([mode, reply], [0o600, { answer: 'here' }])
    assert.equal(await askSocket(path, {}), 'nobody')
  })

  it('tells progress, then the answer', async (t) => {
    const path = socketPath(t)
    const close = await listenOnSocket(path, {
      answer: async (asked: { up_to: number }, progress: (done: number) => void) => {
        progress(1)
        return asked.up_to
      },
    })
    const told: number[] = []

    const reply = await askSocket<number, number>(path, { up_to: 3 }, (done) => void told.push(done))

    assert.deepEqual([told, reply], [[1], { answer: 3 }])
    await close()
  })

  it('tells what was wrong, with what is no JSON as well', async (t) => {
    const path = socketPath(t)
    const close = await listenOnSocket(path, { answer: () => Promise.reject(new Error('not today')) })

    const refused = await askSocket(path, {})
    const none = await askSocket(path, undefined)

    assert.deepEqual(refused, { refused: 'not today' })
    assert.equal(typeof none === 'object' && 'refused' in none, true)
    await close()
  })

  it('says so when the program stops before it has answered', async (t) => {
    const path = socketPath(t)
    const asked = Promise.withResolvers<void>()
    const close = await listenOnSocket(path, {
      answer: () => {
        asked.resolve()
        return new Promise(() => {})
      },
    })
    const reply = askSocket(path, {})
    await asked.promise

    await close()

    const found = await reply
    assert.equal(typeof found === 'object' && 'broken' in found, true)
  })

  it('cannot have a path that is longer than the system takes', async (t) => {
    const path = `${socketPath(t)}${'x'.repeat(120)}`

    await assert.rejects(listenOnSocket(path, { answer: async () => 'here' }))
    assert.equal(await askSocket(path, {}), 'nobody')
  })
})
