/** Files that appear whole or not at all. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { isMissing, leadsNowhere, unlessMissing } from '../../../appliance/ground/errno.ts'
import { makeFile, readIfThere, renameDurably, replaceFile, writeNewFile } from '../../../appliance/ground/files.ts'

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'ground-files-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

describe('replaceFile', () => {
  it('takes the place of the file that was there, for its owner alone unless a mode is named', async (t) => {
    const folder = folderOf(t)
    writeFileSync(join(folder, 'a'), 'old')

    await replaceFile(join(folder, 'a'), 'new')
    await replaceFile(join(folder, 'b'), Buffer.from([0, 255]), { mode: 0o640 })

    assert.equal(readFileSync(join(folder, 'a'), 'utf8'), 'new')
    assert.deepEqual([...readFileSync(join(folder, 'b'))], [0, 255])
    assert.deepEqual(
      ['a', 'b'].map((name) => statSync(join(folder, name)).mode & 0o777),
      [0o600, 0o640],
    )
    assert.deepEqual(readdirSync(folder), ['a', 'b'])
  })

  it('leaves the file that was there, and nothing beside it, when the content fails', async (t) => {
    const folder = folderOf(t)
    writeFileSync(join(folder, 'a'), 'old')
    const content = async () => {
      assert.equal(readdirSync(folder).length, 2)
      throw new Error('the connection broke')
    }

    await assert.rejects(replaceFile(join(folder, 'a'), content), { message: 'the connection broke' })

    assert.deepEqual(readdirSync(folder), ['a'])
    assert.equal(readFileSync(join(folder, 'a'), 'utf8'), 'old')
  })

  it('leaves nothing beside a folder that has the name already', async (t) => {
    const folder = folderOf(t)

    await assert.rejects(replaceFile(folder, 'text', { unfinished: join(folder, 'unfinished') }))

    assert.deepEqual(readdirSync(folder), [])
  })

  it('overwrites the unfinished file that a killed process left', async (t) => {
    const folder = folderOf(t)
    const unfinished = join(folder, '.a.partial')
    writeFileSync(unfinished, 'half of what')

    await replaceFile(join(folder, 'a'), (file) => file.writeFile('all'), { unfinished })

    assert.deepEqual(readdirSync(folder), ['a'])
    assert.equal(readFileSync(join(folder, 'a'), 'utf8'), 'all')
  })
})

describe('makeFile', () => {
  it('gives the content of the process that was first to all others', async (t) => {
    const path = join(folderOf(t), 'key')

    const contents = await Promise.all(['1', '2', '3'].map((text) => makeFile(path, text, 0o600)))

    assert.equal(new Set(contents).size, 1)
    assert.equal(readFileSync(path, 'utf8'), contents[0])
    assert.deepEqual(readdirSync(join(path, '..')), ['key'])
  })
})

describe('writeNewFile', () => {
  it('refuses a file that is there, and leaves it as it is', async (t) => {
    const path = join(folderOf(t), 'a')
    writeFileSync(path, 'old')

    await assert.rejects(writeNewFile(path, 'new', 0o600), { code: 'EEXIST' })

    assert.equal(readFileSync(path, 'utf8'), 'old')
  })
})

describe('renameDurably', () => {
  it('moves a file, and says why it did not', async (t) => {
    const folder = folderOf(t)
    writeFileSync(join(folder, 'a'), 'text')

    await renameDurably(join(folder, 'a'), join(folder, 'b'))

    await assert.rejects(renameDurably(join(folder, 'a'), join(folder, 'b')), { code: 'ENOENT' })
    assert.equal(readFileSync(join(folder, 'b'), 'utf8'), 'text')
  })
})

describe('a path to nothing', () => {
  it('reads as undefined, also when it leads through a file', async (t) => {
    const folder = folderOf(t)
    writeFileSync(join(folder, 'file'), '')

    const texts = await Promise.all(['none', 'file/below'].map((path) => readIfThere(join(folder, path))))

    assert.deepEqual(texts, [undefined, undefined])
    await assert.rejects(readIfThere(folder), { code: 'EISDIR' })
  })

  it('is missing only when nothing has the name: a file in the place of a folder is damage', () => {
    const errors = ['ENOENT', 'ENOTDIR', 'EACCES'].map((code) => Object.assign(new Error(code), { code }))

    assert.deepEqual(errors.map(isMissing), [true, false, false])
    assert.deepEqual(errors.map(leadsNowhere), [true, true, false])
    assert.throws(() => unlessMissing(errors[1]), { code: 'ENOTDIR' })
  })
})
