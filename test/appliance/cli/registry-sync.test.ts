/** `rackstrap registry sync`: by hand, one set or all, with an exit status that a script can trust. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { temporaryFolder, testRegistry } from '../../registry-mirror/registry.ts'
import { pushImage } from '../../registry-mirror/upstream/mirror.ts'

const CLI = join(import.meta.dirname, '../../../appliance/cli.ts')

type Ended = { status: number; stdout: string; stderr: string }

async function syncRig(t: TestContext) {
  const upstream = await testRegistry(t)
  const folder = temporaryFolder(t)
  const config = join(folder, 'rackstrap.conf')
  const section = (name: string) =>
    `[upstream:${name}]\nurl = http://127.0.0.1:${upstream.port}\ninsecure = true\ntag_ttl = 0\nsync = org/${name}:v*\n`
  writeFileSync(
    config,
    `[DEFAULT]\nstate_path = ${folder}\nreachable_networks = 127.0.0.1\n[registry]\nmin_free = 0\n${section('a')}${section('b')}`,
  )
  const sync = (...args: string[]) =>
    new Promise<Ended>((resolve) => {
      const command = [CLI, 'registry', 'sync', ...args, '--config', config]
      execFile(process.execPath, command, { timeout: 30_000 }, (error, stdout, stderr) =>
        resolve({ status: error ? Number(error.code) : 0, stdout, stderr }),
      )
    })
  return { upstream, sync }
}

describe('rackstrap registry sync', () => {
  it('tells what came for each set, and fails when one of them is not as its upstream has it', async (t) => {
    const { upstream, sync } = await syncRig(t)
    await pushImage(upstream, { name: 'org/b', tag: 'v1', size: 2 })

    const one = await sync('b')
    const all = await sync()

    const fetched = one.stdout.replace(/[\d.]+ (?:bytes|KiB)/, 'SIZE')
    assert.deepEqual(
      { ...one, stdout: fetched },
      {
        status: 0,
        stdout: 'sync:b: images 1, fetched blobs 2, fetched SIZE\n',
        stderr: '',
      },
    )
    assert.equal(all.status, 1)
    assert.equal(all.stdout, 'sync:b: images 1, fetched blobs 0, fetched 0 bytes\n')
    assert.match(
      all.stderr,
      /sync:a: 0 images are as the upstream has them; 1 are not: a\/org\/a:v\*: The upstream has no such repository\./,
    )
  })

  it('says which sets there are', async (t) => {
    const { sync } = await syncRig(t)

    const { status, stderr } = await sync('quay.io')

    assert.equal(status, 1)
    assert.match(stderr, /Upstream 'quay\.io' has no images to sync: expected one of a, b\./)
  })
})
