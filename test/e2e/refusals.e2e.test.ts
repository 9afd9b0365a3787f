/**
 * What goes wrong on the machine itself: the reason is in last_error and on the machine's own screen, and the node
 * can go on.
 */
import assert from 'node:assert/strict'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { enroll } from '../rack/deploy.ts'
import type { Rack } from '../rack/rack.ts'
import { Timeline } from '../rack/timeline.ts'
import { DEPLOY_DEADLINE_MS, PREPARE_DEADLINE_MS, rackFor, reachedBy, showNode } from './racks.ts'

const GIB = 1024 ** 3
const MIB = 1024 ** 2

/** A sparse disk image with a boot sector, as large as it says. */
async function sparseImage(folder: string, size_bytes: number) {
  const path = join(folder, `${size_bytes}.raw`)
  await using file = await open(path, 'w')
  await file.write(Buffer.from([0x55, 0xaa]), 0, 2, 510)
  await file.truncate(size_bytes)
  return path
}

/** Enrolled and deployed; returns when the deploy has ended. */
async function deployToItsEnd(rack: Rack, index: number, imagePath: string, change: readonly string[] = []) {
  const machine = rack.hardware.machines[index]
  assert.ok(machine)
  const { name, mac } = machine.options
  const timeline = new Timeline({ name, mac, ramdisk_bytes: rack.ramdisk.bytes })
  const image = { path: imagePath, format: 'raw' as const, virtual_bytes: 0, sha256: '0'.repeat(64), isOwn: false }
  await enroll(rack, timeline, { image, signal: AbortSignal.timeout(DEPLOY_DEADLINE_MS) })
  assert.ok(timeline.uuid)
  await rack.baremetal('node', 'set', name, ...change)
  const wanted = { uuid: timeline.uuid, states: ['active', 'deploy failed'], timeout_s: DEPLOY_DEADLINE_MS / 1000 }
  const state = await reachedBy(rack, ['node', 'deploy', name], wanted)
  const node = await showNode(rack, name)
  return { state, node, screen: await readFile(machine.options.console, 'utf8') }
}

describe('a deploy that cannot be', () => {
  it('tells of a disk too small, in last_error and on the screen, and goes on from there', {
    timeout: PREPARE_DEADLINE_MS + DEPLOY_DEADLINE_MS,
  }, async (test) => {
    const folder = await mkdtemp(join(tmpdir(), 'rackstrap-refusals-'))
    test.after(() => rm(folder, { recursive: true }))
    const path = await sparseImage(folder, 6 * GIB)
    await using rack = await rackFor(test, { images: [folder], resumes: true })

    const { state, node, screen } = await deployToItsEnd(rack, 0, path, ['--instance-info', 'image_checksum='])

    assert.equal(state, 'deploy failed')
    assert.match(String(node.last_error), /6442450944 bytes.*4294967296/s)
    assert.match(screen, /6442450944 bytes/)
    assert.equal(rack.hardware.machines[0]?.power, 'off')

    const wanted = { uuid: String(node.uuid), states: ['available', 'error'], timeout_s: 120 }
    assert.equal(await reachedBy(rack, ['node', 'undeploy', 'rack-1'], wanted), 'available')
  })

  it('tells of a machine without a disk', { timeout: PREPARE_DEADLINE_MS + DEPLOY_DEADLINE_MS }, async (test) => {
    const folder = await mkdtemp(join(tmpdir(), 'rackstrap-refusals-'))
    test.after(() => rm(folder, { recursive: true }))
    const path = await sparseImage(folder, 16 * MIB)
    await using rack = await rackFor(test, { images: [folder], disk_bytes: 0 })

    const { state, node, screen } = await deployToItsEnd(rack, 0, path, ['--instance-info', 'image_checksum='])

    assert.equal(state, 'deploy failed')
    assert.match(String(node.last_error), /disk/i)
    assert.match(screen, /disk/i)
  })
})
