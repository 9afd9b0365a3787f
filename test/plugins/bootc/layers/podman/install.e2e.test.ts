/** bootc_install with real loop devices, file systems and partition tables; podman is a script. Needs root. */
import assert from 'node:assert/strict'
import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { install } from '../../../../../plugins/bootc/layers/podman/steps/install.ts'
import { DEPLOYMENT, makeInstalledMachine } from '../installed-disk.ts'
import { someArguments } from './arguments.ts'

const MIB = 1024 ** 2
const FILE = { path: '/etc/hostname', content: 'rack-1\n', mode: 0o644 }
const ROOT_TYPE = '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709'

/** What bootc does, in a line each. */
const layOut = (size: string) =>
  `printf 'label: gpt\\nstart=1MiB,size=1MiB\\nsize=8MiB\\nsize=${size},type=${ROOT_TYPE}\\n' | "$root/usr/bin/sfdisk" --quiet --no-reread --wipe always "$root/dev/vda"`
const GIVEN_SIZE = `'"$(echo "$*" | sed 's/.*--root-size=\\([0-9]*\\)M.*/\\1/')"'MiB`
const FILL =
  '"$root/usr/bin/mkfs.ext4" -q -F -F -d "$root/run/tree" -E offset=$((10*1048576)) "$root/dev/vda" 200M 2>/dev/null'

/** What the image's systemd does, to a root that is not encrypted. */
const CRYPTSETUP = `*' attach '*) mkdir -p "$root/dev/mapper"; ln -s ../vda3 "$root/dev/mapper/rackstrap-root"; exit;; *' detach '*) rm "$root/dev/mapper/rackstrap-root"; exit;;`

/** @param bootc  shell script */
async function scene(bootc: string) {
  const podman = `case "$*" in ${CRYPTSETUP} esac; case "$1" in run) ${bootc};; image) echo "$root/run/tree";; pull) grep "$root/var/lib/containers" /proc/mounts >"$root/run/store";; esac`
  const machine = await makeInstalledMachine({ size_mib: 4096, state: 'empty', programs: { podman } })
  await mkdir(join(machine.root, 'run/tree', DEPLOYMENT, 'etc'), { recursive: true })
  const installing = (changes: Record<string, unknown> = {}) =>
    install(machine.agent, someArguments(changes), machine.context)
  const isBlank = async () => {
    await using file = await open(join(machine.root, 'dev/vda'))
    return [0, 4095].map(async (at) =>
      (await file.read(Buffer.alloc(MIB), 0, MIB, at * MIB)).buffer.every((byte) => byte === 0),
    )
  }
  return {
    machine,
    installing,
    blank: async () => (await Promise.all(await isBlank())).every(Boolean),
    [Symbol.asyncDispose]: machine[Symbol.asyncDispose],
  }
}

describe('bootc_install', { timeout: 120_000 }, () => {
  it('keeps the store on the disk for as long as it needs it, then gives the space to root, and finishes the disk', async () => {
    await using given = await scene(`${layOut(GIVEN_SIZE)} && ${FILL}`)
    const { machine } = given

    const { memory_before_mib, memory_least_mib, pull_s, install_s, ...installed } = await given.installing({
      finish: { files: [FILE] },
    })

    assert.deepEqual(installed, {
      reference: 'quay.io/org/app:v1',
      digest: someArguments().digest,
      disk: '/dev/vda',
      root: '/dev/vda3',
      file_system: 'ext4',
      root_bytes: 4085 * MIB,
    })
    assert.match(await readFile(join(machine.root, 'run/store'), 'utf8'), /^\/dev\/loop/)
    await machine.look(async (folder) => {
      assert.equal(await readFile(join(folder, DEPLOYMENT, FILE.path), 'utf8'), FILE.content)
    })
    assert.deepEqual(await machine.leftOver(), [])
    assert.ok(memory_least_mib <= memory_before_mib && pull_s + install_s < 60)
  })

  it('leaves the disk as bootc made it when it is not to finish it', async () => {
    await using given = await scene(`${layOut(GIVEN_SIZE)} && ${FILL}`)

    const { root } = await given.installing()

    assert.equal(root, undefined)
    const [, , part] = (await given.machine.table()).partitions
    assert.equal(part?.size, 1502 * 2048)
  })

  it('writes to an encrypted root while the image can still open it, and has it grow at its first boot', async () => {
    await using given = await scene(`${layOut(GIVEN_SIZE)} && ${FILL}`)
    const { machine } = given
    await machine.write('sys/class/tpm/tpm0/tpm_version_major', '2\n')

    await given.installing({ tpm2_luks: true, finish: { files: [FILE] } })

    const calls = (await machine.calls()).join('\n')
    assert.match(calls, / attach rackstrap-root \/dev\/vda3 - tpm2-device=auto,headless=1\n/)
    assert.match(calls, / detach rackstrap-root\n/)
    await machine.look(async (folder) => {
      const etc = join(folder, DEPLOYMENT, 'etc')
      assert.equal(await readFile(join(etc, 'hostname'), 'utf8'), FILE.content)
      const unit = await readFile(join(etc, 'systemd/system/rackstrap-grow-root.service'), 'utf8')
      assert.match(unit, /systemd-growfs \/sysroot/)
    })
    assert.deepEqual(await machine.leftOver(), [])
  })

  it('refuses to encrypt for a machine without a TPM, before it touches the disk', async () => {
    await using machine = await makeInstalledMachine({ programs: { podman: '' } })
    const before = await machine.table()

    await assert.rejects(
      install(machine.agent, someArguments({ tpm2_luks: true }), machine.context),
      /^Error: This machine has no TPM that its kernel knows, and bootc_tpm2_luks wants a TPM 2\.0/,
    )

    assert.deepEqual(await machine.table(), before)
    assert.ok((await machine.calls()).every((call) => !call.startsWith('podman')))
  })

  const failures: Readonly<Record<string, [string, RegExp]>> = {
    'bootc ended well and wrote nothing': [
      ':',
      /^Error: bootc of quay\.io\/org\/app:v1 ended without an error, but \/dev\/vda has no partition table\.$/,
    ],
    'bootc made root larger than it was to be, before that becomes a damaged file system': [
      layOut('+'),
      /did not keep to the size of root that it was given: its partitions reach to 4095 MiB of \/dev\/vda/,
    ],
    'root has no file system': [
      layOut(GIVEN_SIZE),
      /\/dev\/vda3 holds no file system of ext4, xfs or btrfs: nothing was installed there/,
    ],
    'bootc failed half way': [
      `${layOut(GIVEN_SIZE)}; echo 'error: boom' >&2; exit 1`,
      /bootc of quay\.io\/org\/app:v1 did not install to \/dev\/vda: error: boom/,
    ],
  }
  for (const [name, [bootc, message]] of Object.entries(failures)) {
    it(`fails when ${name}; then the disk boots nothing, and nothing stays mounted or looped`, async () => {
      await using given = await scene(bootc)

      await assert.rejects(given.installing({ finish: { files: [FILE] } }), message)

      assert.equal(await given.blank(), true)
      assert.deepEqual(await given.machine.leftOver(), [])
    })
  }
})
