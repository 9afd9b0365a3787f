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
    assert.throws(() => checkFormat('iso', undefined, ['raw'], 'x'), {
      message:
        'Image x is of format iso by its content, which is not permitted: add it to [conductor] permitted_image_formats (raw), or use another image.',
    })
    checkFormat('gpt', undefined, ['raw'], 'x')
  })

  it('must be one that is written here, whatever is permitted', () => {
    assert.throws(() => checkFormat('vmdk', 'vmdk', ['raw', 'vmdk'], 'x'), {
      message:
        'Image x is of format vmdk by its content, which is not written here, whatever [conductor] permitted_image_formats says (raw,vmdk). Convert it: qemu-img convert -O qcow2.',
    })
  })

  it('is none for a web page, and nobody is told to convert it', () => {
    const pages = [
      '<!DOCTYPE html><h1>Not found',
      '\uFEFF\n<HTML lang=en>',
      '<?xml version="1.0"?><Error>',
      '<!-- moved -->',
    ]
    for (const page of pages) {
      assert.throws(() => checkFormat(detectFormat(Buffer.from(page)), undefined, PERMITTED, 'x'), {
        message:
          'Image x is a web page by its content, not an image: its server sends a page for people (a download page, a sign-in, an error). Set image_source to the address of the file itself.',
      })
    }
  })

  it('is none for what real packers make of an image, and it is told how to unpack it', () => {
    const disk = join(folder, 'disk.raw')
    writeFileSync(disk, diskContent())
    const pack = (file: string, ...args: string[]) => execFileSync(file, args, { input: readFileSync(disk) })
    const packed = {
      gunzip: pack('gzip', '-c'),
      unxz: pack('xz', '-c0'),
      unzstd: pack('zstd', '-qc'),
      bunzip2: pack('bzip2', '-c'),
      'tar xf': execFileSync('tar', ['-cC', folder, 'disk.raw'], { maxBuffer: 64 * 1024 * 1024 }),
    }

    for (const [next, bytes] of Object.entries(packed)) {
      const found = detectFormat(bytes.subarray(0, HEAD_BYTES))

      assert.throws(() => checkFormat(found, undefined, [...PERMITTED, found], 'x'), {
        message: `Image x is packed (${found}) by its content: an image is not unpacked here. Unpack it (${next}), and set image_source and the checksum to the file that comes out of it.`,
      })
    }
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
