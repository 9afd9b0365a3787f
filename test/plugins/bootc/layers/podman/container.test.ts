/**
 * Running the image's bootc with a podman that is a script: what it is asked for, and what the operator reads of each
 * way to fail.
 */
import assert from 'node:assert/strict'
import { readFile, watch } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { runInstall } from '../../../../../plugins/bootc/layers/podman/steps/container.ts'
import type { Scratch } from '../../../../../plugins/bootc/layers/podman/steps/scratch.ts'
import { makeLayerMachine } from '../machine.ts'
import { DIGEST, someArguments } from './arguments.ts'

const MIB = 1024 ** 2
const SCRATCH: Scratch = {
  start_bytes: 5000 * MIB,
  usedBytes: async () => 500 * MIB,
  end: async () => {},
  [Symbol.asyncDispose]: async () => {},
}

/** @param run  what podman does when it is to run the container */
async function scene(run: string, changes: Record<string, unknown> = {}) {
  const machine = await makeLayerMachine({ programs: { podman: `[ "$1" = run ] || exit 0\n${run}` } })
  const installing = () => runInstall({ ...machine, scratch: SCRATCH }, someArguments(changes))
  return { machine, installing, [Symbol.asyncDispose]: machine[Symbol.asyncDispose] }
}

const RUN = `podman run --rm --name rackstrap-bootc --privileged --pid=host --network=none --pull=never --pids-limit 4096 \
--memory 268435456 -v /var/lib/containers:/var/lib/containers -v /dev:/dev quay.io/org/app@${DIGEST} bootc install to-disk --wipe --skip-fetch-check \
--generic-image --disable-selinux --target-imgref quay.io/org/app:v1`
const REMOVE = 'podman rm --force --ignore --time 0 rackstrap-bootc'

describe("the image's own bootc", () => {
  it('is run with room left for the scratch space, and follows the canonical name', async () => {
    await using given = await scene('echo Installed')

    await given.installing()

    assert.deepEqual(await given.machine.calls(), [`${RUN} --root-size=3974M /dev/vda`, REMOVE])
  })

  it('gets the whole disk when the scratch space is elsewhere', async () => {
    await using given = await scene('', { scratch: '/dev/vdb' })

    await given.installing()

    assert.equal((await given.machine.calls())[0], `${RUN} /dev/vda`)
  })

  it('is asked for an encrypted root by bootc_tpm2_luks, whose layout is larger', async () => {
    await using given = await scene('', { tpm2_luks: true })

    await given.installing()

    assert.equal((await given.machine.calls())[0], `${RUN} --block-setup=tpm2-luks --root-size=3464M /dev/vda`)
  })

  it('has all its processes killed, however it ended, and they are waited for', async () => {
    await using given = await scene('exit 1')
    const cgroup = join(given.machine.root, 'sys/fs/cgroup/libpod_parent')
    await given.machine.write('sys/fs/cgroup/libpod_parent/cgroup.events', 'populated 1\nfrozen 0\n')
    const killed = (async () => {
      for await (const _ of watch(cgroup)) {
        if ((await readFile(join(cgroup, 'cgroup.kill'), 'utf8').catch(() => '')) === '1') break
      }
      assert.deepEqual((await given.machine.calls()).at(-1)?.split(' ')[1], 'run')
      await given.machine.write('sys/fs/cgroup/libpod_parent/cgroup.events', 'populated 0\nfrozen 0\n')
    })()

    await assert.rejects(given.installing())

    await killed
    assert.equal((await given.machine.calls()).at(-1), REMOVE)
  })

  it('fails with its last telling line, made harmless', async () => {
    const lines = 'error: Installing to disk: \x1b[31mNo space left on device (os error 28)\\n}\\n'
    await using given = await scene(`printf '${lines}' >&2; exit 1`)

    await assert.rejects(given.installing(), {
      message:
        'bootc of quay.io/org/app:v1 did not install to /dev/vda: error: Installing to disk: No space left on device (os error 28)',
    })
  })

  it('says so when the image has no bootc', async () => {
    await using given = await scene(`echo 'Error: crun: executable file "bootc" not found in $PATH' >&2; exit 127`)

    await assert.rejects(given.installing(), {
      message: 'bootc of quay.io/org/app:v1 did not install to /dev/vda: the image has no bootc',
    })
  })

  it('says what may have killed it when it said nothing', async () => {
    await using given = await scene('exit 137')

    await assert.rejects(given.installing(), {
      message: 'bootc of quay.io/org/app:v1 did not install to /dev/vda: it was killed; it may use 256 MiB of memory',
    })
  })

  it('is ended when it takes longer than it may', async () => {
    await using given = await scene('exec sleep 60', { timeout_s: 1 })

    await assert.rejects(given.installing(), {
      message: 'bootc of quay.io/org/app:v1 did not install to /dev/vda: it did not end within 1 s',
    })
  })

  it('shows its lines, and the bytes written to the partitions against what the image has', async () => {
    await using given = await scene('sleep 0.2')
    await given.machine.write('sys/block/vda/vda3/stat', '1 0 8 0 1 0 2048 0 0 0 0')

    await given.installing()

    assert.deepEqual(given.machine.shown[0], {
      note: 'installing: starting bootc',
      done: MIB,
      total: 550 * MIB,
      unit: 'bytes',
    })
  })
})
