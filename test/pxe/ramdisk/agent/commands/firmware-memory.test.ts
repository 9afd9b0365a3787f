/** Steps that clear what firmware keeps. What efibootmgr prints is as version 18 does; it is a script. */
import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { stepCommands } from '../../../../../pxe/ramdisk/agent/commands/steps.ts'
import { agentOn } from '../agent-context.ts'
import { type FakeMachine, makeMachine } from '../fake-machine.ts'

async function clean(machine: FakeMachine, step: string, args: Record<string, unknown> = {}): Promise<void> {
  const given = { node: { uuid: '5f2c' }, step: { interface: 'deploy', step, args } }
  await stepCommands(agentOn(machine), 'clean').execute_clean_step?.run(given, { progress() {} })
}

describe('erase_pstore', () => {
  it('removes the records of crashes, mounting them first where nobody has', async () => {
    await using machine = await makeMachine({ programs: { mount: '' } })
    const folder = join(machine.root, 'sys/fs/pstore')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'dmesg-efi-1'), 'Oops')

    await clean(machine, 'erase_pstore')

    assert.deepEqual(await readdir(folder), [])
    assert.ok((await machine.calls()).includes(`mount -t pstore pstore ${folder}`))
    assert.match(await machine.console(), /Erased 1 records of pstore/)
  })

  it('has nothing to do where the kernel keeps none', async () => {
    await using machine = await makeMachine()

    await clean(machine, 'erase_pstore')

    assert.match(await machine.console(), /This kernel keeps no pstore: nothing is erased/)
  })
})

const ENTRIES = `BootCurrent: 0003
Timeout: 0 seconds
BootOrder: 0003,0001,0002,0004
Boot0000* UiApp\tFvVol(7cb8bdc9)/FvFile(462caa21)
Boot0001* UEFI QEMU DVD\tPciRoot(0x0)/Pci(0x1f,0x2)/Sata(0,65535,0){auto_created_boot_option}
Boot0002* debian\tHD(1,GPT,1b0a,0x800,0x100000)/File(\\EFI\\debian\\shimx64.efi)
Boot0003* UEFI PXEv4 (MAC:525400123456)\tPciRoot(0x0)/MAC(525400123456,1)/IPv4(0.0.0.0)
      dp: 02 01 0c 00 d0 41 03 0a
Boot0004  old one\tVenHw(99e275e7)/GRUBX64.EFI`

async function uefiMachine(): Promise<FakeMachine> {
  const efibootmgr = `[ "$1" = -v ] && cat <<'END'\n${ENTRIES}\nEND\nexit 0`
  const machine = await makeMachine({ programs: { efibootmgr, modprobe: '', mount: '', umount: '' } })
  await mkdir(join(machine.root, 'sys/firmware/efi'), { recursive: true })
  return machine
}
const removedOn = async (machine: FakeMachine) =>
  (await machine.calls()).flatMap(
    (call) => /^efibootmgr --quiet --bootnum (\w+) --delete-bootnum$/.exec(call)?.[1] ?? [],
  )

describe('clean_uefi_nvram', () => {
  for (const [what, args, removed] of [
    ['of disks, shims and grubs by itself', {}, ['0002', '0004']],
    ['whose paths the patterns find', { match_patterns: ['pxe', 'sata\\('] }, ['0001']],
    ['none for no pattern', { match_patterns: [] }, []],
  ] as const)
    it(`removes the entries ${what}`, async () => {
      await using machine = await uefiMachine()

      await clean(machine, 'clean_uefi_nvram', args)

      assert.deepEqual(await removedOn(machine), removed)
    })

  for (const match_patterns of ['grub', [1], ['('], ['x'.repeat(257)], Array.from({ length: 33 }, () => 'x')])
    it(`takes no ${JSON.stringify(match_patterns).slice(0, 30)} as match_patterns`, async () => {
      await using machine = await uefiMachine()

      await assert.rejects(clean(machine, 'clean_uefi_nvram', { match_patterns }), {
        kind: 'InvalidCommandParamsError',
        details: /^The match_patterns must be a list of strings: /,
      })
      assert.deepEqual(await removedOn(machine), [])
    })

  it('ends a pattern that never would', { timeout: 20_000 }, async () => {
    await using machine = await uefiMachine()

    await assert.rejects(clean(machine, 'clean_uefi_nvram', { match_patterns: ['^([^~]|[^~]+)+~$'] }), {
      details: /^match_patterns take too long, so no boot entry was removed: /,
    })
    assert.deepEqual(await removedOn(machine), [])
  })

  it('has nothing to do on a machine that has booted by BIOS', async () => {
    await using machine = await makeMachine()

    await clean(machine, 'clean_uefi_nvram')

    assert.match(await machine.console(), /Booted by BIOS: there are no boot entries/)
  })
})
