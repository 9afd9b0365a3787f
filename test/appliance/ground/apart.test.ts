/** Work on a stranger's bytes: what it gets, and what becomes of it when it wants more. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Apart, ApartFailure, runApart } from '@appliance/ground/apart'
import type { act } from './apart-acts.ts'

const MIB = 1024 * 1024
type Work = Apart<typeof act>

const run = (order: Work['order'], more: Partial<Work> = {}) =>
  runApart<typeof act>({
    ...{ module: new URL('./apart-acts.ts', import.meta.url), order, memory_bytes: 64 * MIB, deadline_ms: 60_000 },
    ...more,
  })

const failureOf = async (does: Work['order']['does'], more?: Partial<Work>) => {
  const error = await run({ does }, more).then(
    (value) => assert.fail(`it ended well: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof ApartFailure, `${error}`)
  return `${error.why}: ${error.message}`
}

describe('work that runs apart', () => {
  it('gets an order, bytes and open files, and gives an answer', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'apart-'))
    t.after(() => rm(folder, { recursive: true }))
    await writeFile(join(folder, 'one'), 'first,')
    await using file = await open(join(folder, 'one'))

    assert.equal(await run({ does: 'adds', numbers: [1, 2, 39] }), 42)
    assert.equal(
      await run({ does: 'reads' }, { files: [file, file], input: Buffer.from('\nlast') }),
      'first,,first,\nlast',
    )
  })

  it('ends at its limits, says which, and leaves this process alone', async () => {
    assert.equal(await failureOf('refuses'), 'refused: This is no image.')
    assert.equal(await failureOf('fills its heap'), 'memory: needs more than 64 MiB of memory')
    assert.equal(await failureOf('fills buffers'), 'memory: needs more than 64 MiB of memory')
    assert.equal(await failureOf('parses what is too deep'), 'memory: needs more than 64 MiB of memory')
    assert.equal(await failureOf('never ends', { deadline_ms: 900 }), 'time: takes longer than 1 s')
    assert.equal(await failureOf('says too much'), 'answer: brings more than 1048576 bytes')
  })

  it('ends when nobody wants it any more', async () => {
    const leaves = new AbortController()
    const running = run({ does: 'never ends' }, { signal: leaves.signal })
    leaves.abort(new Error('I am gone.'))

    await assert.rejects(running, { message: 'I am gone.' })
  })

  it('reads, writes, starts and knows nothing beside', async (t) => {
    const path = join(tmpdir(), `apart-${process.pid}`)
    t.after(() => rm(path, { force: true }))

    assert.match(await failureOf('reads what is not given'), /^refused: Access to this API has been restricted/)
    await assert.rejects(run({ does: 'writes a file', path }), ApartFailure)
    assert.equal(existsSync(path), false)
    assert.match(await failureOf('starts a program'), /^refused: Access to this API has been restricted/)
    assert.deepEqual(await run({ does: 'tells its environment' }), [])
  })
})
