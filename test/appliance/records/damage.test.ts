/** Every file of a state_path damaged in turn, in every way that a disk or a person does it. */
import assert from 'node:assert/strict'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { filesIn, keptLog, openAt, someNode, somePort, stateFolder } from './state-folder.ts'

const flip = (bytes: Buffer, at: number) => {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}
const DAMAGES: Readonly<Record<string, (bytes: Buffer) => Buffer | null>> = {
  'cut in half': (bytes) => bytes.subarray(0, bytes.length / 2),
  'short of its last byte': (bytes) => bytes.subarray(0, -1),
  empty: () => Buffer.alloc(0),
  'full of garbage': (bytes) => Buffer.alloc(bytes.length, 0xa5),
  'full of zeros': (bytes) => Buffer.alloc(bytes.length),
  'wrong in its first bit': (bytes) => flip(bytes, 0),
  'wrong in a bit of its middle': (bytes) => flip(bytes, Math.floor(bytes.length / 2)),
  missing: () => null,
}

const OLD = '1be26c0b-03f2-4d2e-ae87-c02d7f33c123'
const FRESH = '2be26c0b-03f2-4d2e-ae87-c02d7f33c123'
const PORT = '3be26c0b-03f2-4d2e-ae87-c02d7f33c123'
const generation = (version: number) => ({ extra: { version }, driver_info: { ipmi_password: `secret ${version}` } })

/**
 * A state_path as a killed appliance leaves it: a node of three generations (the last one in the journal only), a
 * node and a port written once, a node that is in the journal only.
 */
async function scene(t: TestContext): Promise<string> {
  const state_path = stateFolder(t)
  const first = await openAt(t, state_path)
  await first.nodes.create(someNode({ uuid: OLD, name: 'old', ...generation(1) }))
  await first.close()
  const second = await openAt(t, state_path)
  await second.nodes.update(OLD, generation(2))
  await second.nodes.create(someNode({ uuid: FRESH, name: 'fresh', ...generation(1) }))
  await second.ports.create({ ...somePort(OLD, '52:54:00:00:00:01'), uuid: PORT })
  await second.close()
  const third = await openAt(t, state_path, { checkpoint_delay_ms: 60_000 })
  await third.nodes.update(OLD, generation(3))
  await third.nodes.create(someNode({ name: 'in the journal only', ...generation(1) }))
  const killed = join(stateFolder(t), 'killed')
  cpSync(state_path, killed, { recursive: true })
  return killed
}

type After = { old: unknown; fresh: unknown; port: unknown; journalOnly: unknown }
const WHOLE: After = { old: 3, fresh: 1, port: '52:54:00:00:00:01', journalOnly: 1 }
/** The journal's changes are lost with it; the documents are what they were at the last checkpoint. */
const WITHOUT_JOURNAL: After = { ...WHOLE, old: 2, journalOnly: undefined }

async function openDamaged(t: TestContext, killed: string, file: string, damage: (bytes: Buffer) => Buffer | null) {
  const state_path = join(stateFolder(t), 'damaged')
  cpSync(killed, state_path, { recursive: true })
  const bytes = damage(readFileSync(join(state_path, file)))
  if (bytes) writeFileSync(join(state_path, file), bytes)
  else rmSync(join(state_path, file))
  const { log, lines } = keptLog()
  const store = await openAt(t, state_path, { log })
  const version = (name: string) => {
    const node = store.nodes.by('name', name)
    if (node) assert.equal(node.driver_info.ipmi_password, `secret ${node.extra.version}`)
    return node?.extra.version
  }
  const after: After = {
    old: version('old'),
    fresh: version('fresh'),
    port: store.ports.where('node_uuid', OLD)[0]?.address,
    journalOnly: version('in the journal only'),
  }
  await store.close()
  const logged = lines.filter(({ message, level }) => message === 'store repaired' && level === 'error')
  assert.deepEqual(
    logged.map(({ repair }) => repair),
    store.repairs,
  )
  return { after, repairs: store.repairs, state_path }
}

describe('a damaged file of state_path', () => {
  const files = [
    `nodes/${OLD}.json`,
    `nodes/${OLD}.json.previous`,
    `nodes/${FRESH}.json`,
    `nodes/${FRESH}.json.previous`,
    `ports/${PORT}.json`,
    `ports/${PORT}.json.previous`,
    'secret.key',
    'secret.key.copy',
  ]

  it('is one of those that are damaged here in turn, the journal and the lock apart', async (t) => {
    const killed = await scene(t)

    const others = filesIn(killed).filter((file) => !files.includes(file))

    assert.deepEqual(others, ['journal/00000001.log', 'lock'])
  })

  for (const file of files) {
    it(`${file}: loses no record, is told loudly, and is whole again after the next stop`, async (t) => {
      const killed = await scene(t)

      for (const [name, damage] of Object.entries(DAMAGES)) {
        const { after, repairs, state_path } = await openDamaged(t, killed, file, damage)

        assert.deepEqual(after, WHOLE, name)
        // A previous generation is looked at when it is needed only.
        if (!file.endsWith('.previous')) assert.match(repairs.join('\n'), new RegExp(file), name)
        const again = await openAt(t, state_path)
        assert.deepEqual(again.repairs, [], name)
        await again.close()
      }
    })
  }

  it('gives the generation before it when the journal does not hold the record any more', async (t) => {
    const state_path = stateFolder(t)
    for (const version of [1, 2]) {
      const store = await openAt(t, state_path)
      if (version === 1) await store.nodes.create(someNode({ uuid: OLD, ...generation(1) }))
      else await store.nodes.update(OLD, generation(2))
      await store.close()
    }
    const path = join(state_path, `nodes/${OLD}.json`)
    writeFileSync(path, flip(readFileSync(path), 300))

    const { nodes, repairs } = await openAt(t, state_path)

    assert.equal(nodes.get(OLD)?.extra.version, 1)
    assert.deepEqual(repairs, [
      `${path} is damaged (kept as ${path}.damaged): taken back to the generation before it (change 1)`,
    ])
  })

  it('takes a record out when all its generations are damaged, says so once, and keeps the rest', async (t) => {
    const state_path = stateFolder(t)
    const store = await openAt(t, state_path)
    await store.nodes.create(someNode({ uuid: OLD }))
    await store.nodes.create(someNode({ uuid: FRESH }))
    await store.close()
    const path = join(state_path, `nodes/${OLD}.json`)
    for (const suffix of ['', '.previous']) writeFileSync(path + suffix, 'garbage')

    const after = await openAt(t, state_path)
    await after.close()
    const again = await openAt(t, state_path)

    for (const { nodes } of [after, again]) {
      assert.deepEqual(
        [...nodes.all()].map(({ uuid }) => uuid),
        [FRESH],
      )
    }
    assert.deepEqual(again.repairs, [])
    assert.equal(readFileSync(`${path}.damaged`, 'utf8'), 'garbage')
    assert.deepEqual(after.repairs, [
      `${path} is damaged (kept as ${path}.damaged), and the generation before it is damaged: only the journal may still hold the record`,
    ])
  })

  it('is not taken from another record', async (t) => {
    const state_path = stateFolder(t)
    const store = await openAt(t, state_path)
    await store.nodes.create(someNode({ uuid: OLD, name: 'old' }))
    await store.nodes.create(someNode({ uuid: FRESH, name: 'fresh' }))
    await store.close()
    cpSync(join(state_path, `nodes/${FRESH}.json`), join(state_path, `nodes/${OLD}.json`))

    const { nodes } = await openAt(t, state_path)

    assert.deepEqual(
      [...nodes.all()].map(({ uuid, name }) => [uuid, name]),
      [
        [OLD, 'old'],
        [FRESH, 'fresh'],
      ],
    )
  })
})

describe('a damaged journal', () => {
  for (const [name, damage] of Object.entries(DAMAGES)) {
    it(`that is ${name} leaves every record whole, at the latest with its last checkpoint`, async (t) => {
      const killed = await scene(t)

      const { after, repairs } = await openDamaged(t, killed, 'journal/00000001.log', damage)

      const kept = { old: after.old === 3 ? WHOLE : WITHOUT_JOURNAL, journalOnly: after.journalOnly === 1 }
      assert.deepEqual(after, { ...kept.old, journalOnly: kept.journalOnly ? 1 : undefined })
      // Nothing tells a journal that is gone, or was never written to, from one that no change needed.
      if (name !== 'missing' && name !== 'empty') assert.match(repairs.join('\n'), /journal\/00000001\.log/)
    })
  }

  it('loses the damaged change only; those before and after it are kept', async (t) => {
    const killed = await scene(t)
    const length = readFileSync(join(killed, 'journal/00000001.log')).indexOf('\n') + 1

    const { after, repairs } = await openDamaged(t, killed, 'journal/00000001.log', (bytes) => flip(bytes, 200))

    assert.deepEqual(after, { ...WHOLE, old: 2 })
    assert.match(repairs.join(), new RegExp(`is damaged from byte 0 to ${length}: the changes there are lost`))
  })
})
