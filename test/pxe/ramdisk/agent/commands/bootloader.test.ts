/**
 * install_bootloader on a fake machine: `mount` shows what lies on the EFI system partition, `efibootmgr` is the
 * firmware.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { installBootloader } from '../../../../../pxe/ramdisk/agent/commands/bootloader.ts'
import { AgentError } from '../../../../../pxe/ramdisk/agent/errors.ts'
import { agentOn } from '../agent-context.ts'
import { makeMachine } from '../fake-machine.ts'

const GPT = 'label: gpt\nstart=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649\nsize=4096, type=U\n'
const MBR = 'label: dos\nstart=2048, size=2048, type=83\nsize=4096, type=ef\n'
/** Keeps its entries in files, as real firmware does in its flash. */
const FIRMWARE = `
cd "$(dirname "$0")/../../run/nvram" || exit 1
case "$*" in
  *--create*)
    while [ "$1" != --label ]; do shift; done
    echo "$2" >0007; echo "0007,$(cat order)" >order ;;
  *--delete-bootnum*) rm "$3" ;;
  *) echo "BootOrder: $(cat order)"
    for entry in 0*; do printf 'Boot%s* %s\\tHD(2)\\n' "$entry" "$(cat "$entry")"; done ;;
esac`
const FORGETFUL = FIRMWARE.replace('echo "$2" >0007; echo "0007,$(cat order)" >order', ':')

type Given = {
  table?: string
  /** Files of the EFI system partition. */
  files?: readonly string[]
  firmware?: string
  /** Of /sys/firmware/efi/efivars. */
  mountsVariables?: boolean
  bios?: boolean
  cmdline?: string
}

async function machineWith(t: TestContext, given: Given = {}) {
  const { table = GPT, files = ['EFI/BOOT/BOOTX64.EFI'], firmware = FIRMWARE, mountsVariables = true, bios } = given
  const touch = files.map((file) => `mkdir -p "$6/${file}" && rmdir "$6/${file}" && : >"$6/${file}"`).join('\n')
  const machine = await makeMachine({
    programs: {
      modprobe: '',
      mount: `case "$2" in vfat) [ "$4" = ro,nosuid,nodev,noexec ] || exit 1
${touch} ;; *) ${mountsVariables ? '' : 'echo "mount: no such device" >&2; exit 32'} ;; esac`,
      umount: 'case "$1" in *efi-system) rm -r "$1"/*;; esac; :',
      efibootmgr: firmware,
    },
  })
  t.after(() => machine[Symbol.asyncDispose]())
  if (!bios) await mkdir(join(machine.root, 'sys/firmware/efi'), { recursive: true })
  const nvram = join(machine.root, 'run/nvram')
  execFileSync('sh', ['-c', `mkdir ${nvram}; cd ${nvram}; echo ironic1 >0002; echo PXE >0001; echo 0001,0002 >order`])
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }
  if (table) execFileSync('sfdisk', ['--quiet', machine.disk('vda')], { input: table, env })
  execFileSync('touch', [machine.disk('vda2')])
  const agent = agentOn(machine, given.cmdline)
  const short = async () => (await machine.calls()).map((call) => call.replaceAll(machine.root, ''))
  return { machine, calls: short, install: (params = {}) => installBootloader(agent, params) }
}

const failsWith = (kind: AgentError['kind'], details: string) => (error: unknown) => {
  assert.ok(error instanceof AgentError)
  assert.deepEqual([error.kind, error.details], [kind, details])
  return true
}
const NO_SYSTEM =
  '/dev/vda has no EFI system partition, and this machine has booted by UEFI. Use an image for UEFI, or have the machine boot by BIOS.'

describe('a machine that has booted by UEFI', { skip: process.arch !== 'x64' }, () => {
  it('gets a boot entry for its disk, first in order and in the place of the one of before', async (t) => {
    const { machine, calls, install } = await machineWith(t)

    const said = await install()

    assert.equal(
      said,
      'Boot entry 0007 "ironic1" starts \\EFI\\BOOT\\BOOTX64.EFI of /dev/vda2, first in the boot order',
    )
    assert.deepEqual(await calls(), [
      'mount -t vfat -o ro,nosuid,nodev,noexec /dev/vda2 /run/efi-system',
      'umount /run/efi-system',
      'modprobe efivarfs',
      'mount -t efivarfs efivarfs /sys/firmware/efi/efivars',
      'efibootmgr ',
      'efibootmgr --quiet --bootnum 0002 --delete-bootnum',
      'efibootmgr --quiet --create --disk /dev/vda --part 2 --label ironic1 --loader \\EFI\\BOOT\\BOOTX64.EFI',
      'efibootmgr ',
      'umount /sys/firmware/efi/efivars',
    ])
    assert.match(await machine.console(), /Boot entry 0007/)
  })

  it('gets one by an MBR, too, and a signature where that has none', async (t) => {
    const { calls, install } = await machineWith(t, { table: MBR })

    await install()

    assert.ok((await calls()).some((call) => call.includes('--disk /dev/vda --part 2 --write-signature --label')))
  })

  it('is left to find \\EFI\\BOOT by itself, with a warning, when its firmware cannot be told', async (t) => {
    const warning = (why: string) =>
      `WARNING: No boot entry could be made for \\EFI\\BOOT\\BOOTX64.EFI of /dev/vda2: ${why}. The firmware has to find \\EFI\\BOOT by itself.`
    const forgetful = await machineWith(t, { firmware: FORGETFUL })
    const closed = await machineWith(t, { mountsVariables: false })
    const broken = await machineWith(t, {
      firmware: 'echo "Could not prepare Boot variable: No space left" >&2; exit 5',
    })

    assert.equal(await forgetful.install(), warning('the firmware has not kept it: first in its boot order is "PXE"'))
    assert.equal(
      (await closed.install()).replaceAll(closed.machine.root, ''),
      warning('mount -t efivarfs efivarfs /sys/firmware/efi/efivars: mount: no such device'),
    )
    assert.equal(await broken.install(), warning('efibootmgr: Could not prepare Boot variable: No space left'))
    assert.match(await broken.machine.console(), /WARNING: No boot entry/)
  })

  it('fails the deploy when its firmware can neither be told nor find the loader by itself', async (t) => {
    const { install } = await machineWith(t, { files: ['EFI/debian/grubx64.efi'], firmware: FORGETFUL })

    await assert.rejects(
      install(),
      failsWith(
        'CommandExecutionError',
        'No boot entry could be made for \\EFI\\debian\\grubx64.efi of /dev/vda2: the firmware has not kept it: ' +
          'first in its boot order is "PXE", and there is no \\EFI\\BOOT that it could find by itself.',
      ),
    )
  })

  it('fails the deploy of an image that is not for UEFI', async (t) => {
    const without = await machineWith(t, { table: GPT.replace('type=U', 'type=L') })
    const empty = await machineWith(t, { files: [] })

    await assert.rejects(without.install(), failsWith('DeviceNotFound', NO_SYSTEM))
    await assert.rejects(
      empty.install(),
      failsWith(
        'DeviceNotFound',
        'The EFI system partition /dev/vda2 holds no boot loader for this machine, and this machine has booted by UEFI. ' +
          'Use an image for UEFI, or have the machine boot by BIOS.',
      ),
    )
  })

  it('goes on without one where ipa-ignore-bootloader-failure, or the command itself, says so', async (t) => {
    const table = GPT.replace('type=U', 'type=L')
    const node = await machineWith(t, { table, cmdline: 'ipa-ignore-bootloader-failure=1' })
    const asked = await machineWith(t, { table })

    assert.match(await node.install(), /has no EFI system partition/)
    await assert.rejects(node.install({ ignore_bootloader_failure: false }), failsWith('DeviceNotFound', NO_SYSTEM))
    assert.match(await asked.install({ ignore_bootloader_failure: true }), /has no EFI system partition/)
    assert.match(await node.machine.console(), /Ignored, as ipa-ignore-bootloader-failure says\./)
  })
})

describe('a machine that has booted by BIOS', () => {
  it('is left alone', async (t) => {
    const { calls, install } = await machineWith(t, { bios: true })

    assert.equal(await install(), 'booted by BIOS: nothing to do')
    assert.deepEqual(await calls(), [])
  })
})
