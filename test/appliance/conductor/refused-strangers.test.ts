/** What a box tells of who asks in the name of a machine, however many ask. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createStrangers } from '../../../appliance/conductor/parts/strangers.ts'
import { keptLog, openAt, someNode, stateFolder } from '../records/state-folder.ts'

const UUID = '1be26c0b-03f2-4d2e-ae87-c02d7f33c123'

async function oneNode(t: TestContext) {
  const store = await openAt(t, stateFolder(t))
  await store.nodes.create(someNode({ uuid: UUID }))
  let time = 1_000_000
  const { log, lines } = keptLog()
  const strangers = createStrangers({ store, log }, () => time)
  const told = () => store.nodes.find(UUID).driver_internal_info.refused_strangers?.count
  const pass = (ms: number) => {
    time += ms
  }
  return { store, log, lines, strangers, told, pass }
}

describe('strangers that were refused', () => {
  it('are told ten times a minute of one node, from however many addresses; all are counted', async (t) => {
    const { strangers, lines, told, pass } = await oneNode(t)
    const ask = async (from: number) => {
      for (let host = from; host < from + 500; host++) await strangers.note(UUID, `fd00::${host.toString(16)} asked`)
    }

    await ask(0)
    const first = [lines.length, told()]
    pass(60_000)
    await ask(1000)

    assert.deepEqual(
      [first, [lines.length, told()]],
      [
        [10, 10],
        [20, 20],
      ],
    )
    assert.match(strangers.problem() ?? '', /^1000 requests in the name of machines were refused; the last: fd00::5db /)
  })

  it('are told in the log, and nothing is thrown, while the node cannot be written', async (t) => {
    const { store, log, lines } = await oneNode(t)
    const full = { get: () => store.nodes.find(UUID), update: () => Promise.reject(new Error('no space left')) }
    const strangers = createStrangers({ store: { nodes: Object.assign(Object.create(store.nodes), full) }, log })

    await strangers.note(UUID, 'fd00::1 asked')

    assert.deepEqual(
      lines.map(({ message, reason }) => [message, reason]),
      [
        ['stranger refused', 'fd00::1 asked'],
        ['stranger is not written to the node', 'no space left'],
      ],
    )
  })
})
