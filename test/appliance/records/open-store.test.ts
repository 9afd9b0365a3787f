/** Opening what an older version, or a large rack, left behind. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Document, seal } from '../../../appliance/records/storage/document.ts'
import { openAt, someNode, stateFolder } from './state-folder.ts'

const UUID = '1be26c0b-03f2-4d2e-ae87-c02d7f33c123'

function lay(state_path: string, document: Document): void {
  mkdirSync(join(state_path, document.kind), { recursive: true })
  writeFileSync(join(state_path, document.kind, `${document.uuid}.json`), seal(document))
}

describe('opening the store', () => {
  it('gives a document of an older version the fields that it does not have', async (t) => {
    const state_path = stateFolder(t)
    const record = { uuid: UUID, created_at: '2026-01-01T00:00:00.000000+00:00', driver: 'ipmi', name: 'old' }
    lay(state_path, { seq: 1, created_seq: 1, kind: 'nodes', uuid: UUID, record })

    const { nodes, repairs } = await openAt(t, state_path)

    const node = nodes.find('old')
    const { created_at, provision_state, traits, driver_info, reservation, protected: isProtected } = node
    assert.deepEqual(
      { created_at, provision_state, traits, driver_info, reservation, isProtected },
      {
        created_at: '2026-01-01T00:00:00.000000+00:00',
        provision_state: 'enroll',
        traits: [],
        driver_info: {},
        reservation: null,
        isProtected: false,
      },
    )
    assert.deepEqual(repairs, [])
  })

  it('leaves files alone that are none of its own', async (t) => {
    const state_path = stateFolder(t)
    mkdirSync(join(state_path, 'nodes'))
    for (const name of ['README', 'x.json', '.json', `${UUID}.json~`, 'lost+found'])
      writeFileSync(join(state_path, 'nodes', name), 'mine')

    const { nodes, repairs } = await openAt(t, state_path)

    assert.equal(nodes.size, 0)
    assert.deepEqual(repairs, [])
  })

  it('goes on counting where it was, so that later changes win over earlier ones', async (t) => {
    const state_path = stateFolder(t)
    lay(state_path, { seq: 41, created_seq: 41, kind: 'nodes', uuid: UUID, record: someNode({ uuid: UUID }) })
    for (const description of ['first', 'second']) {
      const store = await openAt(t, state_path, { checkpoint_delay_ms: 60_000 })
      await store.nodes.update(UUID, { description })
      await store.close()
    }

    const { nodes } = await openAt(t, state_path)

    assert.equal(nodes.get(UUID)?.description, 'second')
  })

  it('takes 10,000 nodes', async (t) => {
    const state_path = stateFolder(t)
    for (let seq = 1; seq <= 10_000; seq++) {
      const node = someNode({ uuid: randomUUID(), name: `node-${seq}` })
      lay(state_path, { seq, created_seq: seq, kind: 'nodes', uuid: node.uuid, record: node })
    }
    const began = performance.now()

    const { nodes } = await openAt(t, state_path)

    t.diagnostic(`opened in ${Math.round(performance.now() - began)} ms`)
    assert.equal(nodes.size, 10_000)
    assert.equal([...nodes.all()][9_999]?.name, 'node-10000')
  })
})
