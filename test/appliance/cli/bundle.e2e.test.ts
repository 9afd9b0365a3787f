/** `rackstrap bundle` as an operator meets it: the real program, its words and its exit status. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { importInto, tagImage, tagsOf } from '../../registry-mirror/bundle/bundles.ts'
import { temporaryFolder, testRegistry } from '../../registry-mirror/registry.ts'

const WRAPPER = join(import.meta.dirname, '../../../appliance/rackstrap')

/** In one folder: a configuration file for each side, and whatever the commands make there. */
async function example(t: TestContext) {
  const here = await testRegistry(t)
  const digest = await tagImage(here, 'org/app', 'v1')
  const folder = temporaryFolder(t)
  const there = join(folder, 'there')
  writeFileSync(join(folder, 'here.conf'), `[registry]\nstorage_path = ${here.folder}\n`)
  writeFileSync(join(folder, 'there.conf'), `[registry]\nstorage_path = ${there}\n`)
  const bundle = async (...args: string[]) => {
    const options = { cwd: folder, timeout: 30_000, killSignal: 'SIGKILL' } as const
    const child = spawn(WRAPPER, ['bundle', ...args], { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    const words = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (text) => (words[name] += text))
    const [status] = await once(child, 'close')
    return { status, ...words }
  }
  return { here, there, digest, folder, bundle }
}

describe('rackstrap bundle', () => {
  it('carries an image and a file from a registry that runs into a folder where none does', async (t) => {
    const { there, digest, folder, bundle } = await example(t)
    writeFileSync(join(folder, 'disk.raw'), 'disk')

    const made = await bundle('export', '--config', 'here.conf', '--output', 'b.tar', 'org/*', '--file', 'disk.raw')
    const refused = await bundle('import', '--config', 'there.conf', 'b.tar')
    const taken = await bundle('import', '--config', 'there.conf', '--files', 'files', 'b.tar')
    const again = await bundle('import', '--config', 'there.conf', '--files', 'files', 'b.tar')

    assert.match(made.stderr, /^b\.tar: 1 image, 2 blobs, 1 manifest, 1 file, [0-9.]+ KiB\.\n$/)
    assert.deepEqual(refused, {
      status: 1,
      stdout: '',
      stderr:
        'rackstrap: The bundle holds a file (disk.raw): say where to put them with --files FOLDER, or leave them with --no-files.\n',
    })
    assert.deepEqual(taken, { status: 0, stdout: '', stderr: 'Imported: 2 blobs, 1 manifest, 1 tag, 1 file.\n' })
    assert.equal(
      again.stderr,
      'Imported: 0 blobs (2 more there already), 0 manifests (1 more there already), 0 tags (1 more there already), 0 files (1 more there already).\n',
    )
    assert.equal(readFileSync(join(folder, 'files', 'disk.raw'), 'utf8'), 'disk')
    assert.equal(readFileSync(join(there, 'repositories/org/app/_tags/v1'), 'utf8'), digest)
  })

  it('tells what a bundle holds, and makes the next one of what is new', async (t) => {
    const { here, digest, bundle, folder } = await example(t)
    mkdirSync(join(folder, 'files'))
    await bundle('export', '--config', 'here.conf', '--output', 'one.tar', 'org/app:v1')
    await bundle('import', '--config', 'there.conf', 'one.tar')
    const inventory = await bundle('inventory', '--config', 'there.conf', '--files', 'files')
    writeFileSync(join(folder, 'inventory.json'), inventory.stdout)
    const second = await tagImage(here, 'org/app', 'v2')

    await bundle('export', '--config', 'here.conf', '--output', 'two.tar', '*', '--since', 'inventory.json')
    const { stdout, stderr, status } = await bundle('inspect', '--verify', 'two.tar')

    assert.equal(status, 0)
    assert.match(
      stdout,
      /^Made .*: 1 image, 1 blob, 1 manifest, 0 files, [0-9.]+ KiB; builds on 1 that the other side has\n/,
    )
    assert.equal(stdout.split('\n')[1], `org/app:v2  ${second}`)
    assert.equal(stderr, 'Every byte is as its index says.\n')
    const target = await testRegistry(t)
    await importInto(target, join(folder, 'one.tar'), {})
    await importInto(target, join(folder, 'two.tar'), {})
    assert.deepEqual(await tagsOf(target), { 'org/app:v1': digest, 'org/app:v2': second })
  })

  it('tells what it has taken of a bundle that is damaged, and goes on with one that is not', async (t) => {
    const { bundle, folder } = await example(t)
    for (const name of ['initrd', 'kernel']) writeFileSync(join(folder, name), `content of ${name}`)
    const files = ['--file', 'initrd', '--file', 'kernel']
    await bundle('export', '--config', 'here.conf', '--output', 'b.tar', 'org/app:v1', ...files)
    const bytes = readFileSync(join(folder, 'b.tar'))
    const damaged = Buffer.from(bytes)
    damaged.write('CONTENT of kernel', bytes.lastIndexOf('content of kernel'))
    writeFileSync(join(folder, 'damaged.tar'), damaged)
    const imported = (file: string) => bundle('import', '--config', 'there.conf', '--files', 'files', file)

    const failed = await imported('damaged.tar')
    const { stderr } = await imported('b.tar')

    assert.equal(failed.status, 1)
    assert.match(failed.stderr, /^rackstrap: rackstrap\/files\/kernel in the bundle is damaged: .*\./)
    assert.ok(
      failed.stderr.endsWith(
        ' Images in place: none. Not in place, and as they were before: org/app:v1. ' +
          `Files in place in ${join(folder, 'files')}: initrd. Not in place: kernel. ` +
          'Of its blobs 2 of 2 are stored, of its manifests 0 of 1. ' +
          'Once the reason is gone, run the same command again: it goes on, and what is stored is not sent again.\n',
      ),
      failed.stderr,
    )
    assert.equal(
      stderr,
      'Imported: 0 blobs (2 more there already), 1 manifest, 1 tag, 1 file (1 more there already).\n',
    )
  })

  it('tells what is wrong in one sentence', async (t) => {
    const { bundle } = await example(t)

    const errorOf = async (...args: string[]) => (await bundle(...args)).stderr
    assert.equal(
      await errorOf('export', '--config', 'here.conf', '--output', 'x.tar'),
      "rackstrap: Nothing to export: name an image, '*' for all, or a --file.\n",
    )
    assert.equal(
      await errorOf('export', '--config', 'here.conf', '--output', 'x.tar', 'org/app:v9'),
      'rackstrap: Repository org/app has no image v9.\n',
    )
    assert.equal(
      await errorOf('inspect', 'none.tar'),
      "rackstrap: none.tar cannot be read: ENOENT: no such file or directory, open 'none.tar'\n",
    )
  })
})
