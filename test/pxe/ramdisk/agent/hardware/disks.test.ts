/** Disks as /sys tells of them. */
import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { describe, it } from 'node:test'
import { listDisks } from '../../../../../pxe/ramdisk/agent/hardware/disks.ts'
import { inFolder } from '../quick-folder.ts'

/** Folders of /sys/devices with their files; each disk is linked from /sys/block. */
async function disksOf(devices: Readonly<Record<string, Readonly<Record<string, string>>>>) {
  return inFolder('sys-', async (root) => {
    for (const [device, files] of Object.entries(devices)) {
      for (const [name, content] of Object.entries(files)) {
        const file = join(root, 'sys/devices', device, name)
        await mkdir(dirname(file), { recursive: true })
        await writeFile(file, content, 'latin1')
      }
      const link = join(root, 'sys/block', device.split('/').at(-1) ?? '')
      await mkdir(dirname(link), { recursive: true })
      await symlink(relative(dirname(link), join(root, 'sys/devices', device)), link)
    }
    return await listDisks(root)
  })
}

const GEOMETRY = {
  'queue/logical_block_size': '512\n',
  'queue/physical_block_size': '4096\n',
  'queue/rotational': '0\n',
}

describe('the list of disks', () => {
  it('names a SATA disk by its controller, wwn, serial and port', async () => {
    const [disk] = await disksOf({
      'pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block/sda': {
        ...GEOMETRY,
        size: '1953525168\n',
        'queue/rotational': '1\n',
        'device/model': 'ST1000NM0008    \n',
        'device/vendor': 'ATA     \n',
        'device/wwid': 'naa.5000c500a1b2c3d4\n',
        'device/vpd_pg80': '\0\x80\0\x08  ZA1B2C',
      },
      'pci0000:00/0000:00:1f.2/ata3': { 'ata_port/ata3/port_no': '3\n' },
    })

    assert.deepEqual(disk, {
      name: '/dev/sda',
      model: 'ST1000NM0008',
      size: 1_000_204_886_016,
      rotational: true,
      wwn: '0x5000c500a1b2c3d4',
      serial: 'ZA1B2C',
      vendor: 'ATA',
      wwn_with_extension: '0x5000c500a1b2c3d4',
      wwn_vendor_extension: null,
      hctl: '2:0:0:0',
      by_path: '/dev/disk/by-path/pci-0000:00:1f.2-ata-3',
      logical_sectors: 512,
      physical_sectors: 4096,
      tran: 'sata',
    })
  })

  it('names an NVMe disk by its namespace', async () => {
    const [disk] = await disksOf({
      'pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n1': {
        ...GEOMETRY,
        size: '1000215216\n',
        nsid: '1\n',
        wwid: 'eui.0025385b71b00000\n',
        'device/model': 'SAMSUNG MZVL2512\n',
        'device/serial': 'S64D  \n',
      },
    })

    assert.equal(disk?.by_path, '/dev/disk/by-path/pci-0000:01:00.0-nvme-1')
    assert.equal(disk.tran, 'nvme')
    assert.equal(disk.wwn, 'eui.0025385b71b00000')
    assert.equal(disk.serial, 'S64D')
  })

  it('cuts a long NAA identifier as udev does', async () => {
    const [disk] = await disksOf({
      'pci0000:00/0000:02:00.0/host0/target0:2:0/0:2:0:0/block/sda': {
        ...GEOMETRY,
        size: '8388608\n',
        'device/wwid': 'naa.6003048012345678aabbccdd00112233\n',
      },
    })

    assert.equal(disk?.wwn, '0x6003048012345678')
    assert.equal(disk.wwn_vendor_extension, '0xaabbccdd00112233')
    assert.equal(disk.wwn_with_extension, '0x6003048012345678aabbccdd00112233')
    assert.equal(disk.by_path, '/dev/disk/by-path/pci-0000:02:00.0-scsi-0:2:0:0')
  })

  it('holds no loop devices, memory disks, CD drives, hidden paths or drives without a medium, and is sorted by size', async () => {
    const file = (size: string, more = {}) => ({ ...GEOMETRY, size, ...more })
    const disks = await disksOf({
      'virtual/block/loop0': file('100\n'),
      'virtual/block/ram0': file('100\n'),
      'virtual/block/zram0': file('100\n'),
      'pci0000:00/0000:00:01.1/ata1/host0/target0:0:0/0:0:0:0/block/sr0': file('100\n'),
      'pci0000:00/0000:00:02.0/virtio0/block/vda': file('300\n'),
      'pci0000:00/0000:00:02.1/virtio1/block/vdb': file('200\n'),
      'pci0000:00/0000:00:02.2/virtio2/block/vdc': file('200\n'),
      'pci0000:00/0000:00:03.0/usb1/1-1/1-1:1.0/host5/target5:0:0/5:0:0:0/block/sdb': file('0\n'),
      'pci0000:00/0000:01:00.0/nvme/nvme0/nvme0c0n1': file('400\n', { hidden: '1\n' }),
      'pci0000:00/0000:04:00.0/cciss0/cciss!c0d0': file('500\n'),
    })

    assert.deepEqual(
      disks.map(({ name }) => name),
      ['/dev/vdb', '/dev/vdc', '/dev/vda', '/dev/cciss/c0d0'],
    )
  })

  it('is empty on a machine whose controllers nobody knows', async () => {
    assert.deepEqual(await listDisks('/nonexistent'), [])
  })
})
