import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ownFiles } from '../../../appliance/cli/own-files.ts'
import { importsOf, sources } from '../../architecture/sources.ts'

const CHECKOUT = join(import.meta.dirname, '../../..')
const urlOf = (path: string) => pathToFileURL(join(CHECKOUT, path)).href
const CLI = urlOf('appliance/cli.ts')

describe('own files', () => {
  const find = ownFiles()

  it('are found beside the file that imports, and behind the doors of the ground floor', () => {
    assert.equal(find('./cli/serve.ts', CLI), urlOf('appliance/cli/serve.ts'))
    assert.equal(find('../config.ts', urlOf('pxe/http/serve-boot.ts')), urlOf('pxe/config.ts'))
    assert.equal(find('@appliance/ground/errno', CLI), urlOf('appliance/ground/errno.ts'))
  })

  it('are there, for all that our files import of each other', () => {
    const ours = sources.filter((file) => /^(appliance|pxe|registry-mirror)\//.test(file)).flatMap(importsOf)
    const ofGround = ours.filter(({ target }) => target.startsWith('@appliance/ground/'))
    assert.ok(ofGround.length > 100)

    const missing = ofGround.filter(({ file, target }) => {
      const url = find(target, urlOf(file))
      return url === undefined || !existsSync(fileURLToPath(url))
    })
    assert.deepEqual(missing, [])
  })

  it('are left to Node, which refuses them, where the ground floor has no door', () => {
    assert.equal(find('@appliance/ground/range.ts', CLI), undefined)
    assert.equal(find('@appliance/ground', CLI), undefined)
  })

  it('are left to Node for all that is not ours: packages of npm, plugins, entries', () => {
    assert.equal(find('zod', CLI), undefined)
    assert.equal(find('@appliance/pxe', CLI), undefined)
    assert.equal(find('./data.json', CLI), undefined)
    assert.equal(find('./index.ts', urlOf('plugins/direct/index.ts')), undefined)
    assert.equal(find('./core.ts', urlOf('node_modules/zod/index.js')), undefined)
    assert.equal(find(CLI, undefined), undefined)
  })

  it('are the same modules for a process that found some of them before', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'own-files-'))
    t.after(() => rm(folder, { recursive: true }))
    await mkdir(join(folder, 'x'))
    const program = join(folder, 'x/program.ts')
    await writeFile(
      program,
      `const before = await import(${JSON.stringify(urlOf('appliance/errors.ts'))})
      const { findOwnFilesQuickly } = await import(${JSON.stringify(urlOf('appliance/cli/own-files.ts'))})
      findOwnFilesQuickly()
      const { ConfigInvalid } = await import(${JSON.stringify(urlOf('appliance/config/read.ts'))})
      console.log(ConfigInvalid.prototype instanceof before.ApplianceError)`,
    )

    const { stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8' })

    assert.equal(stderr.replace(/^.*ExperimentalWarning.*\n.*\n/m, ''), '')
    assert.equal(stdout, 'true\n')
  })
})
