/** The histories of nodes: what is kept, how much, and what a crash or a damaged file costs. */
import assert from 'node:assert/strict'
import { appendFileSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createHistories, type HistoryLimits } from '../../../appliance/records/histories.ts'
import { stateFolder } from './state-folder.ts'

const NODE = '1be26c0b-03f2-4d2e-ae87-c02d7f33c123'
const OTHER = '2be26c0b-03f2-4d2e-ae87-c02d7f33c123'
const EVENT = {
  ...({ severity: 'ERROR', event_type: 'deploying', conductor: 'rack-1', user: null, project: null } as const),
  ...({ state: 'deploying', target_provision_state: 'active', duration_seconds: 3 } as const),
}

function scene(t: TestContext, limits?: HistoryLimits) {
  const folder = join(stateFolder(t), 'histories')
  const file = join(folder, `${NODE}.jsonl`)
  const open = () => createHistories(folder, limits)
  const histories = open()
  const add = (event: string) => histories.add(NODE, { ...EVENT, event })
  const events = async () => (await open().of(NODE)).map(({ event }) => event)
  return { folder, file, open, histories, add, events }
}

describe('the history of a node', () => {
  it('is there after a restart, in order, each event with a uuid and a time of its own', async (t) => {
    const { open, add } = scene(t)

    await Promise.all([add('one'), add('two'), add('three')])

    const found = await open().of(NODE)
    assert.deepEqual(
      found.map(({ event }) => event),
      ['one', 'two', 'three'],
    )
    assert.equal(new Set(found.map(({ uuid }) => uuid)).size, 3)
    assert.match(String(found[0]?.created_at), /^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/)
    const { uuid: _, created_at: __, ...rest } = found[0] ?? {}
    assert.deepEqual(rest, { ...EVENT, event: 'one' })
    assert.deepEqual(await open().of(OTHER), [])
  })

  it('keeps the newest events when there are too many, on the disk as well', async (t) => {
    const { file, add, events } = scene(t, { max_entries: 10, minimum_days: 0 })

    for (let i = 0; i < 40; i++) await add(`event ${i}`)

    assert.deepEqual(
      await events(),
      Array.from({ length: 10 }, (_, i) => `event ${i + 30}`),
    )
    assert.ok(readFileSync(file, 'utf8').split('\n').length <= 12)
  })

  it('keeps young events beyond that when it is told to, but not without end', async (t) => {
    const { add, events } = scene(t, { max_entries: 2, minimum_days: 1 })

    for (let i = 0; i < 30; i++) await add(`event ${i}`)

    assert.equal((await events()).length, 20)
    assert.equal((await events()).at(-1), 'event 29')
  })

  it('loses an event that a crash cut off, and none beside it', async (t) => {
    const { file, add, events, open } = scene(t)
    await add('one')
    await add('two')
    truncateSync(file, statSync(file).size - 20)

    await open().add(NODE, { ...EVENT, event: 'three' })

    assert.deepEqual(await events(), ['one', 'three'])
  })

  it('is read past what is no event', async (t) => {
    const { file, add, events } = scene(t)
    await add('one')
    appendFileSync(file, 'garbage\n\n')
    await add('two')

    assert.deepEqual(await events(), ['one', 'two'])
  })

  it('goes with its node, then or at the next start', async (t) => {
    const { file, folder, histories, add, open } = scene(t)
    await add('one')
    await histories.add(OTHER, { ...EVENT, event: 'other' })
    writeFileSync(join(folder, '.new-half'), 'x')

    await histories.remove(NODE)
    await histories.remove(NODE)
    assert.equal(existsSync(file), false)
    await open().sweep((uuid) => uuid === NODE)

    assert.deepEqual(await open().of(OTHER), [])
    assert.equal(existsSync(join(folder, '.new-half')), false)
  })
})
