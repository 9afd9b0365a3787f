/** How a ramdisk appears where machines fetch it from. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { presentRamdisk, publish } from '../../../pxe/ramdisk/publish.ts'
import { readRamdiskFiles } from '../../../pxe/ramdisk-files.ts'
import { withFolder } from './folder.ts'

const NAMES = ['kernel', 'base', 'modules', 'node', 'agent']
const pieces = (version: string, changed = NAMES) =>
  NAMES.map((name) => ({ name, content: Buffer.from(changed.includes(name) ? `${name} ${version}` : name) }))
const recipe = (version: number) => ({ digest: `sha256:${version}`, kernel_params: 'console=ttyS0' })
const short = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 12)

describe('a ramdisk that is published', () => {
  it('is named by its contents and told by ramdisk.json, as network boot reads it', () =>
    withFolder(async (output) => {
      const ramdisk = await publish(output, recipe(1), pieces('one'))

      assert.deepEqual(ramdisk, { path: output, digest: 'sha256:1', bytes: 46, layers: {} })
      assert.deepEqual(await readRamdiskFiles(output), {
        kernel: `vmlinuz-${short('kernel one')}`,
        core: NAMES.slice(1).map((name) => `${name}-${short(`${name} one`)}.cpio.zst`),
        layers: {},
        takes_layers: true,
        digest: 'sha256:1',
        kernel_params: 'console=ttyS0',
      })
      assert.equal(await readFile(join(output, `vmlinuz-${short('kernel one')}`), 'utf8'), 'kernel one')
    }))

  it('has each layer in a file of its own, which not every machine fetches', () =>
    withFolder(async (output) => {
      const layers = [{ name: 'podman', content: Buffer.from('programs') }]

      const ramdisk = await publish(output, recipe(1), pieces('one'), layers)

      const file = `layer-podman-${short('programs')}.cpio.zst`
      assert.deepEqual([ramdisk.bytes, ramdisk.layers], [46, { podman: 8 }])
      assert.deepEqual((await readRamdiskFiles(output)).layers, { podman: file })
      assert.equal(await readFile(join(output, file), 'utf8'), 'programs')
      assert.deepEqual(await presentRamdisk(output, 'sha256:1'), ramdisk)

      await rm(join(output, file))
      assert.equal(await presentRamdisk(output, 'sha256:1'), undefined)
    }))

  it('leaves the set before it to machines that are just booting, and no older one', () =>
    withFolder(async (output) => {
      await publish(output, recipe(1), pieces('one', ['agent']))
      await publish(output, recipe(2), pieces('two', ['agent']))
      await writeFile(join(output, 'notes.txt'), 'of the operator')

      await publish(output, recipe(3), pieces('three', ['agent']))

      const agents = ['two', 'three'].map((version) => `agent-${short(`agent ${version}`)}.cpio.zst`)
      const others = ['base', 'modules', 'node'].map((name) => `${name}-${short(name)}.cpio.zst`)
      const expected = [...agents, ...others, 'notes.txt', 'ramdisk.json', `vmlinuz-${short('kernel')}`]
      assert.deepEqual((await readdir(output)).sort(), expected.sort())
    }))

  it('keeps the set before whole when its own writing fails', () =>
    withFolder(async (output) => {
      await publish(output, recipe(1), pieces('one'))
      const before = await readFile(join(output, 'ramdisk.json'), 'utf8')
      const broken = { name: 'no/such\0name', content: Buffer.from('x') }

      await assert.rejects(publish(output, recipe(2), [...pieces('two'), broken]))

      assert.equal(await readFile(join(output, 'ramdisk.json'), 'utf8'), before)
      assert.ok(await presentRamdisk(output, 'sha256:1'))
    }))

  it('clears away what a killed build has left, but not what another one is just writing', () =>
    withFolder(async (output) => {
      const [old, young] = [
        join(output, '.node-0123456789ab.cpio.zst.77'),
        join(output, '.node-ba9876543210.cpio.zst.78'),
      ]
      await writeFile(old, 'half')
      await writeFile(young, 'half')
      const long_ago = new Date(Date.now() - 2 * 60 * 60_000)
      await utimes(old, long_ago, long_ago)

      await publish(output, recipe(1), pieces('one'))

      assert.deepEqual(
        (await readdir(output)).filter((name) => name.startsWith('.')),
        ['.node-ba9876543210.cpio.zst.78'],
      )
    }))
})

describe('a ramdisk that is there already', () => {
  it('is taken when it is of the same recipe', () =>
    withFolder(async (output) => {
      const built = await publish(output, recipe(1), pieces('one'))

      assert.deepEqual(await presentRamdisk(output, 'sha256:1'), built)
    }))

  it('is made anew for another recipe, a deleted file, a damaged or absent ramdisk.json', () =>
    withFolder(async (output) => {
      assert.equal(await presentRamdisk(output, 'sha256:1'), undefined)
      await publish(output, recipe(1), pieces('one'))
      assert.equal(await presentRamdisk(output, 'sha256:2'), undefined)

      await rm(join(output, `vmlinuz-${short('kernel one')}`))
      assert.equal(await presentRamdisk(output, 'sha256:1'), undefined)

      await writeFile(join(output, 'ramdisk.json'), '{"digest": "sha256:1", ')
      assert.equal(await presentRamdisk(output, 'sha256:1'), undefined)
      await writeFile(join(output, 'ramdisk.json'), 'null')
      assert.equal(await presentRamdisk(output, 'sha256:1'), undefined)
    }))
})
