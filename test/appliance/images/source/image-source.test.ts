/** Which images may be named, and what an operator reads of those that may not. */
import assert from 'node:assert/strict'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { parseImageSource, shownUrl } from '../../../../appliance/images/source/image-source.ts'
import { temporaryFolder } from '../images-in-folder.ts'

describe('image_source', () => {
  const folder = temporaryFolder()
  const allowed = [join(folder, 'images')]
  const refuses = (image_source: string, message: string) =>
    assert.throws(() => parseImageSource(image_source, allowed), { name: 'InvalidParameterValue', message })

  before(() => {
    mkdirSync(join(folder, 'images/sub'), { recursive: true })
    writeFileSync(join(folder, 'images/disk.raw'), 'x')
    writeFileSync(join(folder, 'secret'), 'x')
    symlinkSync('../secret', join(folder, 'images/way-out'))
    symlinkSync('disk.raw', join(folder, 'images/latest'))
    symlinkSync('/etc/passwd', join(folder, 'images/passwd'))
  })
  after(() => rmSync(folder, { recursive: true }))

  it('may be an http or https address', () => {
    const source = parseImageSource('https://images.example/disk.raw?version=2', allowed)

    assert.equal(source.kind === 'http' && source.url.href, 'https://images.example/disk.raw?version=2')
  })

  it('may be a file below an allowed folder, also by a link that stays there', () => {
    const plain = parseImageSource(`file://${folder}/images/disk.raw`, allowed)
    const link = parseImageSource(`file://${folder}/images/latest`, allowed)

    assert.equal(plain.kind === 'file' && plain.path, join(folder, 'images/disk.raw'))
    assert.equal(link.kind === 'file' && link.path, join(folder, 'images/disk.raw'))
  })

  it('may not be a file of the system, whatever is allowed', () => {
    assert.throws(() => parseImageSource('file:///etc/shadow', ['/']), {
      message:
        'Validation of image href file:///etc/shadow failed, reason: Security: The path /etc is not permitted in file URLs.',
    })
    for (const path of ['/dev/sda', '/proc/self/environ', '/sys/firmware', '/boot/vmlinuz', '/run/secret']) {
      assert.throws(() => parseImageSource(`file://${path}`, ['/']), /Security: The path \/\w+ is not permitted/)
    }
  })

  it('may not hold a zero byte', () => {
    refuses(
      `file://${folder}/images/disk.raw%00.txt`,
      `Validation of image href file://${folder}/images/disk.raw%00.txt failed, reason: it holds a zero byte. Correct image_source.`,
    )
  })

  it('may not be a file outside the allowed folders', () => {
    refuses(
      `file://${folder}/secret`,
      `Validation of image href file://${folder}/secret failed, reason: Security: Path ${folder}/secret is not allowed for image source file URLs. Move the image below one of ${allowed}, or add its folder to [conductor] file_url_allowed_paths.`,
    )
    refuses(
      `file://${folder}/images/../secret`,
      `Validation of image href file://${folder}/secret failed, reason: Security: Path ${folder}/secret is not allowed for image source file URLs. Move the image below one of ${allowed}, or add its folder to [conductor] file_url_allowed_paths.`,
    )
    assert.throws(() => parseImageSource(`file://${folder}/images-of-others/x`, allowed), /is not allowed/)
  })

  it('may not leave them by a link', () => {
    refuses(
      `file://${folder}/images/way-out`,
      `Validation of image href file://${folder}/images/way-out failed, reason: Security: Path ${folder}/secret is not allowed for image source file URLs. Move the image below one of ${allowed}, or add its folder to [conductor] file_url_allowed_paths.`,
    )
    refuses(
      `file://${folder}/images/passwd`,
      `Validation of image href file://${folder}/images/passwd failed, reason: Security: The path /etc is not permitted in file URLs.`,
    )
  })

  it('must be there, and be a file', () => {
    refuses(
      `file://${folder}/images/gone.raw`,
      `Validation of image href file://${folder}/images/gone.raw failed, reason: Specified image file not found. Put it there, or correct image_source.`,
    )
    refuses(
      `file://${folder}/images/sub`,
      `Validation of image href file://${folder}/images/sub failed, reason: Specified image is not a regular file.`,
    )
  })

  it('must be an address of a kind that is known here', () => {
    refuses(
      'ftp://images.example/disk.raw',
      'Validation of image href ftp://images.example/disk.raw failed, reason: Image download protocol ftp is not supported here. Use http, https or file.',
    )
    refuses(
      '3fa85f64-5717-4562-b3fc-2c963f66afa6',
      'Validation of image href 3fa85f64-5717-4562-b3fc-2c963f66afa6 failed, reason: it is no address. Set image_source to one that begins with http://, https:// or file:///.',
    )
    refuses(
      'disk image; rm -rf /\nnext line',
      'Validation of image href in image_source failed, reason: it is no address. Set image_source to one that begins with http://, https:// or file:///.',
    )
    assert.throws(() => parseImageSource('file://host/path', allowed), /Write it as file:\/\/\/folder\/image/)
  })

  it('is shown without what may be secret in it', () => {
    assert.equal(
      shownUrl('https://user:word@images.example:8443/a/b.raw?signature=abc'),
      'https://images.example:8443/a/b.raw?...',
    )
  })
})
