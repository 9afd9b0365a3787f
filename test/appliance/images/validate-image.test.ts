/** What the validate API says of a node's image, in Ironic's words. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Json } from '../../../appliance/plugin-api/index.ts'
import { type ImagesInFolder, NODE, openImages } from './images-in-folder.ts'

const SHA256 = 'a'.repeat(64)
const http = { image_source: 'http://images.example/disk.raw', image_checksum: SHA256 }

describe('validate', () => {
  let box: ImagesInFolder
  before(async () => {
    box = await openImages()
  })
  after(() => box[Symbol.asyncDispose]())
  const validate = (instance_info: Json, driver_info: Json = {}) =>
    box.images.validate({ node_uuid: NODE, instance_info, driver_info })

  it('takes an http image with a checksum, and touches no network', () => {
    validate(http)
    validate({ ...http, image_type: 'whole-disk', image_disk_format: 'raw' })
  })

  it('takes a file without a checksum', () => {
    writeFileSync(join(box.folder, 'disk.raw'), 'x')

    validate({ image_source: `file://${box.folder}/disk.raw` })
  })

  it('misses image_source', () => {
    for (const instance_info of [{}, { image_source: null }, { image_source: ' ' }]) {
      assert.throws(() => validate(instance_info), {
        name: 'MissingParameterValue',
        message: `Node ${NODE} failed to validate deploy image info. Some parameters were missing. Missing are: ['instance_info.image_source']`,
      })
    }
  })

  it('misses the checksum of an http image', () => {
    assert.throws(() => validate({ image_source: http.image_source }), {
      name: 'MissingParameterValue',
      message: `image_source's "image_checksum", or "image_os_hash_algo" and "image_os_hash_value" must be provided in instance_info for node ${NODE}`,
    })
  })

  it('knows image_type and image_download_source', () => {
    assert.throws(() => validate({ ...http, image_type: 'tarball' }), {
      name: 'InvalidParameterValue',
      message: 'Invalid image_type "tarball", valid are partition, whole-disk',
    })
    assert.throws(() => validate({ ...http, image_download_source: 'ftp' }, { image_download_source: 'local' }), {
      name: 'InvalidParameterValue',
      message: 'Invalid value for image_download_source: "ftp". Valid values are swift, http or local.',
    })
    assert.throws(() => validate(http, { image_download_source: 'smb' }), /"smb"/)
  })

  it('knows which image_disk_format can be written, before a machine is started', () => {
    for (const image_disk_format of ['raw', 'RAW', 'qcow2', 'gpt', 'iso', '', null])
      validate({ ...http, image_disk_format })

    for (const image_disk_format of ['vmdk', 'unknown', 7]) {
      assert.throws(() => validate({ ...http, image_disk_format }), {
        name: 'InvalidParameterValue',
        message: `instance_info/image_disk_format of node ${NODE} is ${JSON.stringify(image_disk_format)}: expected one of raw, gpt, qcow2, iso. Convert another image (qemu-img convert -O qcow2), set its address and checksum, and image_disk_format to qcow2.`,
      })
    }
  })

  it('refuses a file of the system', () => {
    assert.throws(() => validate({ image_source: 'file:///etc/shadow' }), {
      name: 'InvalidParameterValue',
      message:
        'Validation of image href file:///etc/shadow failed, reason: Security: The path /etc is not permitted in file URLs.',
    })
  })
})
