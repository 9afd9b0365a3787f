/** One process per state_path. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { StatePathInUse } from '../../../appliance/records/storage/lock.ts'
import { openAt, someNode, stateFolder } from './state-folder.ts'

/** It tells of itself before it opens the store, and again when it has. */
async function isReady(output: Readable): Promise<void> {
  let text = ''
  while (!text.includes(' ready ')) text += (await once(output, 'data'))[0]
}

describe('state_path', () => {
  it('is refused to a second process, with the pid of the first', async (t) => {
    const state_path = stateFolder(t)
    const other = spawn(process.execPath, [join(import.meta.dirname, 'kill-writer.ts'), state_path], {
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 20_000,
      killSignal: 'SIGKILL',
    })
    t.after(() => other.kill('SIGKILL'))
    await isReady(other.stdout)

    await assert.rejects(openAt(t, state_path), (error: StatePathInUse) => {
      assert.ok(error instanceof StatePathInUse)
      assert.equal(
        error.message,
        `${state_path} is in use by process ${other.pid}. Stop it, or give this one another [DEFAULT] state_path.`,
      )
      return true
    })
    other.kill('SIGKILL')
    other.stdout.resume()
    await once(other, 'close')
    const store = await openAt(t, state_path)

    assert.equal(readFileSync(join(state_path, 'lock'), 'utf8'), `${process.pid}\n`)
    await store.close()
  })

  it('is refused to a second store of the same process as well, and free once the first is closed', async (t) => {
    const state_path = stateFolder(t)
    const first = await openAt(t, state_path)
    await assert.rejects(openAt(t, state_path), StatePathInUse)
    await first.close()

    const second = await openAt(t, state_path)

    assert.equal(second.nodes.size, 0)
  })

  it('is not held by the pid that a killed process left in the lock file', async (t) => {
    const state_path = stateFolder(t)
    writeFileSync(join(state_path, 'lock'), `${process.pid}\n`)

    const store = await openAt(t, state_path)

    assert.equal(store.nodes.size, 0)
  })

  it('is given back when opening fails', async (t) => {
    const state_path = stateFolder(t)
    const key = join(state_path, 'secret.key')
    writeFileSync(key, 'no key')
    await assert.rejects(openAt(t, state_path))
    writeFileSync(key, '')
    await assert.rejects(openAt(t, state_path), { name: 'SecretKeyRefused' })
  })

  it('that is a file, or cannot be written, is refused with the next act', async (t) => {
    const folder = stateFolder(t)
    const file = join(folder, 'file')
    writeFileSync(file, '')
    mkdirSync(join(folder, 'closed'))
    chmodSync(join(folder, 'closed'), 0o500)
    const said = (path: string) => (error: Error) => {
      assert.match(error.message, new RegExp(`^state_path ${path} cannot be written by user \\d+ \\(`))
      assert.match(error.message, /Give that folder to this user, or set \[DEFAULT\] state_path to another one\.$/)
      return true
    }

    await assert.rejects(openAt(t, file), said(file))
    // Root may write everywhere.
    if (process.getuid?.() !== 0) await assert.rejects(openAt(t, join(folder, 'closed')), said(join(folder, 'closed')))
  })

  it('takes no changes once it is closed', async (t) => {
    const store = await openAt(t, stateFolder(t))
    await store.close()

    await assert.rejects(store.nodes.create(someNode()), {
      name: 'NotKept',
      message: 'Nothing was changed: the appliance is stopping.',
    })
  })
})
