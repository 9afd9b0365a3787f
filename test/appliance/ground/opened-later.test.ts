import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openedLater } from '../../../appliance/ground/opened-later.ts'

function given() {
  const seen: string[] = []
  const { promise: door, resolve: letOpen } = Promise.withResolvers<void>()
  const later = openedLater(
    async () => {
      seen.push('opens')
      await door
      return 'client'
    },
    async (opened) => void seen.push(`closes ${opened}`),
  )
  return { seen, later, letOpen }
}

describe('what is opened later', () => {
  it('is opened once, when it is first needed', async () => {
    const { seen, later, letOpen } = given()
    assert.deepEqual(seen, [])
    letOpen()

    const got = await Promise.all([later.get(), later.get()])

    assert.deepEqual([got, seen], [['client', 'client'], ['opens']])
  })

  it('is closed once', async () => {
    const { seen, later, letOpen } = given()
    letOpen()
    await later.get()

    await Promise.all([later.close(), later.close()])

    assert.deepEqual(seen, ['opens', 'closes client'])
  })

  it('is not opened to be closed', async () => {
    const { seen, later } = given()

    await later.close()

    assert.deepEqual(seen, [])
  })

  it('is closed as soon as it is open when its owner was closed in between, and close waits for that', async () => {
    const { seen, later, letOpen } = given()
    const getting = later.get()

    const closing = later.close()
    letOpen()
    await closing

    assert.deepEqual([await getting, seen], ['client', ['opens', 'closes client']])
  })

  it('is closed already for who asks after the end of its owner', async () => {
    const { seen, later, letOpen } = given()
    letOpen()
    await later.close()

    await later.get()

    assert.deepEqual(seen, ['opens', 'closes client'])
  })
})
