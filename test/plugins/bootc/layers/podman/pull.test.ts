/** Pulling with a podman that is a script. */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { pull } from '../../../../../plugins/bootc/layers/podman/steps/pull.ts'
import type { Scratch } from '../../../../../plugins/bootc/layers/podman/steps/scratch.ts'
import { makeLayerMachine } from '../machine.ts'
import { DIGEST, MIRROR, someArguments, TICKET } from './arguments.ts'

const PULL = 'pull --retry 3 --retry-delay 5s'
const SCRATCH: Scratch = {
  start_bytes: 4096,
  usedBytes: async () => 0,
  end: async () => {},
  [Symbol.asyncDispose]: async () => {},
}

async function scene(podman: string, changes: Record<string, unknown> = {}) {
  const machine = await makeLayerMachine({
    programs: { podman: `case "$1" in image) echo "$root/run/tree"; exit;; esac\n${podman}` },
  })
  const args = someArguments({ mirror: { ...MIRROR, ticket: TICKET }, ...changes })
  const pulling = () => pull({ ...machine, scratch: SCRATCH }, args)
  return { machine, pulling, [Symbol.asyncDispose]: machine[Symbol.asyncDispose] }
}

describe('pulling an image', () => {
  it('asks for the digest, with the ticket in a file that only the pull is told of', async () => {
    await using given = await scene('cp "$root/run/rackstrap/pull-auth.json" "$root/run/seen"')

    await given.pulling()

    const { root } = given.machine
    assert.deepEqual(await given.machine.calls(), [
      `podman ${PULL} --authfile ${root}/run/rackstrap/pull-auth.json quay.io/org/app@${DIGEST}`,
      `podman image mount quay.io/org/app@${DIGEST}`,
      `podman image umount quay.io/org/app@${DIGEST}`,
    ])
    assert.match(await readFile(join(root, 'run/seen'), 'utf8'), /10\.0\.0\.1:5000\/quay\.io\/org\/app/)
    assert.deepEqual(await readdir(join(root, 'run/rackstrap')), [])
  })

  it("tells podman's own reason when it fails, and the ticket is gone then, too", async () => {
    await using given = await scene('echo "Trying to pull"; echo "Error: \x1b[31mmanifest unknown" >&2; exit 125')

    await assert.rejects(given.pulling(), {
      message: 'quay.io/org/app:v1 could not be pulled from the mirror: Error: manifest unknown',
    })
    assert.deepEqual(await readdir(join(given.machine.root, 'run/rackstrap')), [])
  })

  it('pulls the images that it binds as well, each from its own place in the mirror', async () => {
    await using given = await scene('')
    await given.machine.write(
      'run/tree/usr/lib/bootc/bound-images.d/db.image',
      '[Image]\nImage=registry.example:5000/db:16\n',
    )

    await given.pulling()

    const { root } = given.machine
    const calls = await given.machine.calls()
    assert.equal(
      calls.at(-1),
      `podman ${PULL} --authfile ${root}/run/rackstrap/pull-auth.json registry.example:5000/db:16`,
    )
    assert.match(
      await readFile(join(root, 'etc/containers/registries.conf.d/50-rackstrap.conf'), 'utf8'),
      /prefix = "registry\.example:5000\/db"\nlocation = "10\.0\.0\.1:5000\/registry\.example_5000\/db"/,
    )
  })

  it('ends a pull that takes longer than it may', async () => {
    await using given = await scene('exec sleep 60', { timeout_s: 1 })

    await assert.rejects(given.pulling(), /could not be pulled from .*did not end within 1 s/)
  })

  it('shows how the store grows once all bytes are here', async () => {
    await using given = await scene(
      'sleep 0.2; echo 78001 >"$root/sys/class/net/eth0/statistics/rx_bytes"; sleep 1.5',
      {
        size_bytes: 1000,
      },
    )
    await given.machine.write('sys/class/net/eth0/statistics/rx_bytes', '77000')

    await given.pulling()

    assert.deepEqual(given.machine.shown.at(-1), { note: 'unpacking quay.io/org/app:v1', done: 0, unit: 'bytes' })
  })

  it('shows bytes against the size of the image', async () => {
    await using given = await scene('sleep 0.2', { size_bytes: 1000 })
    await given.machine.write('sys/class/net/eth0/statistics/rx_bytes', '77000')

    await given.pulling()

    assert.deepEqual(given.machine.shown[0], {
      note: 'pulling quay.io/org/app:v1',
      done: 0,
      total: 1000,
      unit: 'bytes',
    })
  })
})
