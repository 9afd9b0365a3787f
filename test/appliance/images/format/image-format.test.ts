/** An image is what its bytes are. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { checkFormat, detectFormat, HEAD_BYTES } from '../../../../appliance/images/format/image-format.ts'
import { diskContent, temporaryFolder } from '../images-in-folder.ts'

const PERMITTED = ['raw', 'gpt', 'qcow2', 'iso']

describe('the format of an image', () => {
  const folder = temporaryFolder()
  const detect = (path: string) => detectFormat(readFileSync(path).subarray(0, HEAD_BYTES))
  after(() => rmSync(folder, { recursive: true }))

  it('is told from its content for everything that qemu-img can make', () => {
    const found = Object.fromEntries(
      ['raw', 'qcow2', 'qcow', 'qed', 'vmdk', 'vdi', 'vhdx', 'vpc', 'parallels'].map((format) => {
        const path = join(folder, `image.${format}`)
        execFileSync('qemu-img', ['create', '-q', '-f', format, path, '4M'])
        return [format, detect(path)]
      }),
    )

    assert.deepEqual(found, {
      ...{ raw: 'raw', qcow2: 'qcow2', qcow: 'qcow', qed: 'qed', vmdk: 'vmdk', vdi: 'vdi' },
      ...{ vhdx: 'vhdx', vpc: 'vhd', parallels: 'parallels' },
    })
  })

  it('is gpt for a disk with a partition table, and iso for a CD', () => {
    mkdirSync(join(folder, 'cd'))
    writeFileSync(join(folder, 'cd/file'), 'x')
    execFileSync('genisoimage', ['-quiet', '-o', join(folder, 'cd.iso'), join(folder, 'cd')])

    assert.equal(detectFormat(diskContent().subarray(0, HEAD_BYTES)), 'gpt')
    assert.equal(detect(join(folder, 'cd.iso')), 'iso')
  })

  it('must be permitted', () => {
    assert.throws(() => checkFormat('vmdk', undefined, PERMITTED, 'x'), {
      name: 'ImageUnacceptable',
      message:
        'Image x is of format vmdk by its content, which is not permitted ([conductor] permitted_image_formats = raw,gpt,qcow2,iso). Convert it: qemu-img convert -O qcow2.',
    })
    assert.throws(
      () => checkFormat(detectFormat(Buffer.from('<!DOCTYPE html><h1>Not found')), undefined, PERMITTED, 'x'),
      /of format html/,
    )
    checkFormat('gpt', undefined, ['raw'], 'x')
  })

  it('must be what image_disk_format says; raw stands for gpt, too', () => {
    assert.throws(() => checkFormat('qcow2', 'raw', PERMITTED, 'x'), {
      message:
        'Image x is of format qcow2 by its content, but image_disk_format says raw. Set instance_info/image_disk_format to qcow2, or correct image_source.',
    })
    assert.throws(() => checkFormat('gpt', 'qcow2', PERMITTED, 'x'), /Set instance_info\/image_disk_format to raw/)
    checkFormat('gpt', 'raw', PERMITTED, 'x')
    checkFormat('qcow2', 'qcow2', PERMITTED, 'x')
  })
})
