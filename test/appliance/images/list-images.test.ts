/** What an operator is told of the image cache. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { renderImages } from '../../../appliance/cli/images.ts'
import { listImages } from '../../../appliance/images/list-images.ts'
import { configOf, NODE, OTHER_NODE, openImages, temporaryFolder } from './images-in-folder.ts'

const MIB = 1024 * 1024

describe('the list of the image cache', () => {
  it('tells of each image where it came from, what it takes, and which nodes use it', async () => {
    const state_path = temporaryFolder()
    await using open = await openImages({ state_path })
    const { images, request } = open
    const build = async (path: string) => {
      writeFileSync(path, randomBytes(MIB))
      truncateSync(path, 64 * MIB)
    }
    await images.make('quay.io/org/app:v1 as a disk', request({}), build)
    await images.make('quay.io/org/app:v1 as a disk', request({}, { node_uuid: OTHER_NODE }), build)
    await images.make('older', request({}, { node_uuid: NODE }), build)

    const listed = await listImages(configOf(state_path))

    const [older, app] = listed.toSorted((a, b) => a.source.localeCompare(b.source))
    assert.equal(listed.length, 2)
    assert.equal(app?.source, 'made here (quay.io/org/app:v1 as a disk)')
    assert.deepEqual(app?.node_uuids, [OTHER_NODE])
    assert.deepEqual(older?.node_uuids, [NODE])
    assert.equal(app?.size_bytes, 64 * MIB)
    assert.ok(app && app.disk_bytes >= MIB && app.disk_bytes < 8 * MIB, `${app?.disk_bytes}`)
  })

  it('leaves out an entry that is damaged, and has nothing to tell where no appliance has run', async () => {
    const state_path = temporaryFolder()
    const before = await listImages(configOf(state_path))
    await using open = await openImages({ state_path })
    await open.images.make('app', open.request({}), async (path) => writeFileSync(path, randomBytes(MIB)))
    const [whole] = await listImages(configOf(state_path))
    truncateSync(join(open.cache, whole?.key ?? '', 'image'), 1)

    const after = await listImages(configOf(state_path))

    assert.deepEqual(before, [])
    assert.equal(whole?.node_uuids.length, 1)
    assert.deepEqual(after, [])
  })

  it('is a table for a terminal', () => {
    const text = renderImages([
      {
        key: '0'.repeat(64),
        source: 'http://images.example/debian.qcow2',
        format: 'raw',
        size_bytes: 2 * 1024 ** 3,
        disk_bytes: 512 * MIB,
        made_at: '2026-11-25T10:00:00.123Z',
        last_used: '2026-11-25T12:00:00.000Z',
        node_uuids: [],
      },
    ])

    assert.equal(
      text,
      `IMAGE                               FORMAT  SIZE     ON DISK  MADE                  LAST USED             NODES
http://images.example/debian.qcow2  raw     2.0 GiB  512 MiB  2026-11-25T10:00:00Z  2026-11-25T12:00:00Z  -
`,
    )
    assert.equal(renderImages([]), 'The image cache is empty.\n')
  })
})
