import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseEntries } from '../../../../../pxe/ramdisk/agent/boot/entries.ts'

describe("the firmware's boot entries", () => {
  it('are read as efibootmgr 18 prints them, with paths, and as 17 does, without', () => {
    const text =
      'BootCurrent: 0001\nTimeout: 0 seconds\nBootOrder: 0003,0001\n' +
      'Boot0001* UEFI Misc Device\tPciRoot(0x0)/Pci(0x2,0x0){auto_created_boot_option}\n' +
      'Boot0003* ironic1\tHD(2,GPT,5c3c,0x1000,0x14000)/\\EFI\\BOOT\\BOOTX64.EFI\nBoot000A  Old one\n'

    assert.deepEqual(parseEntries(text), {
      order: ['0003', '0001'],
      entries: [
        { number: '0001', label: 'UEFI Misc Device' },
        { number: '0003', label: 'ironic1' },
        { number: '000A', label: 'Old one' },
      ],
    })
  })

  it('may be none', () => {
    assert.deepEqual(parseEntries('BootCurrent: 0000\nNo BootOrder is set; firmware will attempt recovery\n'), {
      order: [],
      entries: [],
    })
  })
})
