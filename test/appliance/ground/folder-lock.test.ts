/** One process for each folder. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { lockFolder } from '../../../appliance/ground/folder-lock.ts'

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'ground-lock-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

const errors = {
  inUse: (holder: string) => new Error(`in use by ${holder}`),
  failed: (text: string, options: ErrorOptions) => new Error(text, options),
}

describe('the lock of a folder', () => {
  it('is held once, and names its holder until it is released', (t) => {
    const folder = folderOf(t)
    const lock = lockFolder(folder, errors)

    assert.throws(() => lockFolder(folder, errors), { message: `in use by process ${process.pid}` })
    lock.release()

    assert.equal(readFileSync(join(folder, 'lock'), 'utf8'), '')
    lockFolder(folder, errors).release()
  })

  it('says "another process" when the file does not name one', (t) => {
    const folder = folderOf(t)
    const lock = lockFolder(folder, errors)
    writeFileSync(join(folder, 'lock'), 'no number')

    assert.throws(() => lockFolder(folder, errors), { message: 'in use by another process' })

    lock.release()
  })

  it('names the package of flock when there is no such command', (t) => {
    const folder = folderOf(t)
    const { PATH = '' } = process.env
    t.after(() => {
      process.env.PATH = PATH
    })
    process.env.PATH = `${folder}${delimiter}${folder}`

    assert.throws(() => lockFolder(folder, errors), {
      message: `${join(folder, 'lock')} cannot be locked: spawnSync flock ENOENT. The command flock (Debian package util-linux) is needed.`,
    })
  })
})
