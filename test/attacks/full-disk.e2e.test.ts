/**
 * Strangers who fill the disk: what they send stops at a reserve, and whoever changes a record does not notice. The
 * disk is a small tmpfs, for which root is needed.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { freeBytes, replaceFile } from '@appliance/ground/files'
import { openReserve } from '@appliance/ground/reserve'
import { exec } from '../../appliance/conductor/plugin/exec.ts'
import { openImages } from '../appliance/images/images-in-folder.ts'
import { startBox } from './box.ts'
import { writeBomb } from './qcow2-bomb.ts'

const MIB = 1024 * 1024
const DISK_MIB = 256
const MIN_FREE_MIB = 96

function smallDisk(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'full-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', folder])
  t.after(() => {
    execFileSync('umount', ['--lazy', folder])
    rmSync(folder, { recursive: true })
  })
  const place = join(folder, 'state')
  mkdirSync(place)
  return place
}

/**
 * Writes a small file, as a record is written, again and again until the attack is over.
 * @returns what the attack ended with, how often it was written, and how little of the disk was free
 */
async function whileWriting(folder: string, attack: Promise<unknown>) {
  let isOver = false
  let written = 0
  let least_bytes = Number.POSITIVE_INFINITY
  const outcome = attack.then(
    () => undefined,
    (error: Error) => error,
  )
  void outcome.then(() => {
    isOver = true
  })
  while (!isOver) {
    await replaceFile(join(folder, 'record'), Buffer.alloc(64 * 1024))
    least_bytes = Math.min(least_bytes, await freeBytes(folder))
    written++
  }
  return { error: await outcome, written, least_bytes }
}

describe('a disk that a stranger fills', { timeout: 240_000 }, () => {
  it('by a blob without end: the registry says what stopped it, and every change of a record is taken', async (t) => {
    const before = process.env.TMPDIR
    process.env.TMPDIR = smallDisk(t)
    const settings = `[registry]\nenabled = True\nport = 0\nmin_free = 0\n[DEFAULT]\nmin_free = ${MIN_FREE_MIB}\n`
    const box = await startBox(t, settings).finally(() => {
      if (before === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = before
    })
    const create = async (number: number) => {
      const { status } = await fetch(`${box.api}/v1/nodes`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-openstack-ironic-api-version': '1.80' },
        body: JSON.stringify({ driver: 'fake-hardware', name: `node-${number}` }),
      })
      return status
    }
    const pushing = sendForEver(`${box.registry}/v2/evil/blobs/uploads/?digest=sha256:${'0'.repeat(64)}`)
    let isOver = false
    void pushing.then(() => {
      isOver = true
    })
    const statuses: number[] = []

    do statuses.push(await create(statuses.length))
    while (!isOver)
    const { status, text } = await pushing

    assert.equal(status, 507)
    assert.match(
      JSON.parse(text).errors[0].message,
      /^What the registry was sent was stopped, as the disk of \S+\/registry is nearly full: \d+ MiB are free, and 96 MiB of it are kept for the records of the appliance \(\[DEFAULT\] min_free\)\. Free some, or move that folder to another disk\.$/,
    )
    assert.deepEqual([...new Set([...statuses, await create(-1)])], [201])
  })

  it('by an image without end: it fails its own deploy', async (t) => {
    const state_path = smallDisk(t)
    const reserve = await openReserve(state_path, MIN_FREE_MIB)
    await using cache = await openImages({ state_path, reserve })
    const image_source = await serveForEver(t)

    const { error, least_bytes } = await whileWriting(
      state_path,
      cache.images.resolve(
        cache.request({ image_source, image_download_source: 'local', image_checksum: 'f'.repeat(64) }),
      ),
    )

    assert.equal(error?.name, 'InsufficientStorage')
    assert.match(
      error.message,
      /^Image http:\S+ needs \d+ bytes in the image cache \S+, whose disk has \d+ bytes left beyond \[DEFAULT\] min_free\. /,
    )
    assert.ok(least_bytes > (MIN_FREE_MIB - 20) * MIB, `${least_bytes} bytes were left`)
  })

  it('by a qcow2 of 384 KiB that is 64 GiB: its conversion is stopped, and nothing of it stays', async (t) => {
    const state_path = smallDisk(t)
    const reserve = await openReserve(state_path, MIN_FREE_MIB)
    await using cache = await openImages({ state_path, reserve })
    const bomb = join(cache.folder, 'bomb.qcow2')
    writeBomb(bomb)

    const { error, written, least_bytes } = await whileWriting(
      state_path,
      cache.images.resolve(cache.request({ image_source: `file://${bomb}` })),
    )

    assert.equal(error?.name, 'InsufficientStorage')
    assert.match(
      error.message,
      /^The conversion of image file:\S+bomb\.qcow2 to raw was stopped, as the disk of \S+ is nearly full: \d+ MiB are free, and 96 MiB of it are kept for the records of the appliance/,
    )
    assert.ok(written > 0 && least_bytes > 0, `${written} writes, ${least_bytes} bytes were left`)
    await until(async () => (await freeBytes(state_path)) > (DISK_MIB - 8) * MIB)
  })

  it('by a program of a plugin whose log has no end: the program is ended', async (t) => {
    const state_path = smallDisk(t)
    const reserve = await openReserve(state_path, MIN_FREE_MIB)
    const folder = join(state_path, 'procedures/one')
    mkdirSync(folder, { recursive: true })
    const by = { signal: t.signal, node_uuid: 'one', hidden: { paths: [state_path], but: [] }, reserve, folder }

    const { error, least_bytes } = await whileWriting(
      state_path,
      exec('sh', ['-c', 'exec cat /dev/zero >"$0/log"', folder], {}, by),
    )

    assert.equal(error?.name, 'DeployFailure')
    assert.match(error.message, /^The program sh was stopped, as the disk of \S+ is nearly full: /)
    assert.ok(least_bytes > 0)
  })
})

/** The kernel takes a moment to free what a process had open. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await isSo())) {
    assert.ok(performance.now() < deadline, 'it has not come true')
    await pause(20)
  }
}

/** @returns the address of an image that never ends */
async function serveForEver(t: TestContext): Promise<string> {
  const server = createServer((_, response) => {
    const more = () => {
      while (response.write(Buffer.alloc(MIB, 1)));
    }
    response.on('drain', more)
    more()
  }).listen(0, '127.0.0.1')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/image`
}

/** Sends zeros until it is answered. */
async function sendForEver(url: string): Promise<{ status: number; text: string }> {
  const sending = request(url, { method: 'POST', headers: { 'content-type': 'application/octet-stream' } })
  let isOver = false
  const more = () => {
    while (!isOver && sending.write(Buffer.alloc(64 * 1024)));
  }
  sending.on('drain', more).on('error', () => {})
  more()
  const [response] = await once(sending, 'response')
  isOver = true
  let text = ''
  for await (const piece of response) text += piece
  sending.destroy()
  return { status: response.statusCode, text }
}
