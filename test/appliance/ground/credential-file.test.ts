/** A file of credentials on a real disk. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { CredentialFile, linesOf } from '../../../appliance/ground/credential-file.ts'

function fileOf(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'rackstrap-credentials-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'htpasswd')
  writeFileSync(path, text)
  return path
}

describe('a file of credentials', () => {
  it('is read again after a read that failed, though it is the same file still', async (t) => {
    const path = fileOf(t, 'alice:1\n')
    const stale: string[] = []
    let fault: Error | undefined
    const file = await CredentialFile.open({
      ...{ path, look_every_ms: 0, unreadable: (cause) => cause, onStale: ({ message }) => stale.push(message) },
      parse: (text) => {
        if (fault) throw fault
        return new Map([...linesOf(text)].map(({ user, value }) => [user, value]))
      },
    })
    writeFileSync(path, 'bob:2\n')
    fault = new Error('EMFILE')
    assert.deepEqual([await file.get('alice'), await file.get('alice'), file.isStale], ['1', '1', true])

    fault = undefined

    assert.deepEqual([await file.get('alice'), await file.get('bob'), file.isStale], [undefined, '2', false])
    assert.deepEqual(stale, ['EMFILE'], 'told once')
  })

  it('is read again when its content alone is another, and its times of a change were set back', async (t) => {
    const path = fileOf(t, 'alice:1\n')
    const parse = (text: string) => new Map([...linesOf(text)].map(({ user, value }) => [user, value]))
    const given = { path, parse, look_every_ms: 0, unreadable: (cause: Error) => cause, onStale() {} }
    const { atime, mtime } = statSync(path)
    utimesSync(path, atime, mtime)
    const file = await CredentialFile.open(given)

    const { ctimeMs } = statSync(path)
    // The clock of a file system may tick once in some milliseconds.
    for (let tries = 0; tries < 100_000 && statSync(path).ctimeMs === ctimeMs; tries++) {
      writeFileSync(path, 'alice:2\n')
      utimesSync(path, atime, mtime)
    }

    assert.equal(await file.get('alice'), '2')
  })
})
