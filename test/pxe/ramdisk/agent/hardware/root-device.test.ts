/** Which disk gets the operating system. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hintTest } from '../../../../../pxe/ramdisk/agent/hardware/hints.ts'
import { chooseRootDevice, withoutSkipped } from '../../../../../pxe/ramdisk/agent/hardware/root-device.ts'
import { GIB } from '../fake-machine.ts'
import { disk } from './hint-cases.ts'

/** As listDisks has them: by size. */
const DISKS = [
  disk({ name: '/dev/sdc', size: 2 * GIB, tran: 'usb' }),
  disk({ name: '/dev/sdb', size: 10 * GIB, model: 'Samsung SSD 870', serial: 'S5', wwn: '0x5002538', hctl: '1:0:0:0' }),
  disk({ name: '/dev/nvme0n1', size: 20 * GIB, model: 'INTEL P4510', serial: 'BTLJ', tran: 'nvme' }),
  disk({ name: '/dev/sda', size: 4000 * GIB, model: 'ST4000NM', rotational: true }),
]
const chosen = (root_device: unknown, instance?: unknown) =>
  chooseRootDevice(DISKS, {
    properties: { root_device },
    instance_info: instance === undefined ? {} : { root_device: instance },
  }).name

describe('the root device', () => {
  it('is the smallest disk of at least 4 GiB when nothing is said', () => {
    assert.equal(chosen({}), '/dev/sdb')
    assert.equal(chosen(undefined), '/dev/sdb')
  })

  for (const [hints, name] of [
    [{ name: '/dev/sda' }, '/dev/sda'],
    [{ name: 's!= /dev/sdc' }, '/dev/sdb'],
    [{ size: 20 }, '/dev/nvme0n1'],
    [{ size: '20' }, '/dev/nvme0n1'],
    [{ size: '>= 11' }, '/dev/nvme0n1'],
    [{ size: '> 10' }, '/dev/nvme0n1'],
    [{ size: '= 11' }, '/dev/nvme0n1'],
    [{ size: '< 10' }, '/dev/sdc'],
    [{ size: '<= 10' }, '/dev/sdc'],
    [{ size: '!= 2' }, '/dev/sdb'],
    [{ size: '<or> 20 <or> 4000' }, '/dev/nvme0n1'],
    [{ model: 'samsung ssd 870' }, '/dev/sdb'],
    [{ model: 's== INTEL P4510' }, '/dev/nvme0n1'],
    [{ model: '<in> p4510' }, '/dev/nvme0n1'],
    [{ model: '<all-in> 870 ssd' }, '/dev/sdb'],
    [{ model: '<all-in> 870 <all-in> ssd' }, '/dev/sdb'],
    [{ model: '<or> nothing <or> st4000nm' }, '/dev/sda'],
    [{ model: 's!= samsung ssd 870', size: '> 2' }, '/dev/nvme0n1'],
    [{ rotational: true }, '/dev/sda'],
    [{ rotational: 'yes' }, '/dev/sda'],
    [{ rotational: 'False', size: '>= 11' }, '/dev/nvme0n1'],
    [{ wwn: '0x5002538' }, '/dev/sdb'],
    [{ hctl: '1:0:0:0' }, '/dev/sdb'],
    [{ serial: 'btlj', tran: 'nvme' }, '/dev/nvme0n1'],
  ] as const) {
    it(`by ${JSON.stringify(hints)} is ${name}`, () => {
      assert.equal(chosen(hints), name)
    })
  }

  it('of the instance wins over that of the node, unless it says nothing', () => {
    assert.equal(chosen({ name: '/dev/sda' }, { name: '/dev/sdb' }), '/dev/sdb')
    assert.equal(chosen({ name: '/dev/sda' }, {}), '/dev/sda')
  })

  it('that no disk matches is an error that names the hints and all disks', () => {
    assert.throws(() => chosen({ serial: 'nobody' }), {
      kind: 'DeviceNotFound',
      code: 404,
      details:
        'No suitable device was found for deployment using these hints {"serial":"nobody"}. This machine has /dev/sdc 2.0 GiB; ' +
        '/dev/sdb 10.0 GiB Samsung SSD 870 S5; /dev/nvme0n1 20.0 GiB INTEL P4510 BTLJ; /dev/sda 4000.0 GiB ST4000NM. Correct ' +
        'properties/root_device of the node.',
    })
  })

  it('on a machine without a disk is an error that says so', () => {
    assert.throws(() => chooseRootDevice([], {}), {
      details:
        'No suitable device was found for deployment - root device hints were not provided and all found block devices are smaller ' +
        'than 4294967296B. This machine has no disk that this kernel knows. Check the disk controller, or use the hardware ramdisk.',
    })
  })

  for (const [hints, why] of [
    [
      { colour: 'red' },
      'The hints "colour" are invalid. Valid hints are: "size, model, wwn, serial, vendor, wwn_with_extension, wwn_vendor_extension, ' +
        'name, rotational, hctl, by_path, tran"',
    ],
    [{ size: 'large' }, 'Root device hint "size" is not a positive integer. Current value: large'],
    [{ size: '>= 0' }, 'Root device hint "size" is not a positive integer. Current value: >= 0'],
    [{ rotational: 'perhaps' }, 'Root device hint "rotational" is not a Boolean value. Current value: perhaps'],
    [{ model: '' }, 'Root device hint "model" expression is empty'],
    [{ model: 's==' }, 'Root device hint "model" has no value after s=='],
  ] as const) {
    it(`by ${JSON.stringify(hints)} is an error`, () => {
      assert.throws(() => chosen(hints), {
        details: `No devices could be found using the root device hints ${JSON.stringify(hints)} because they failed to validate. Error: ${why}`,
      })
    })
  }

  it('is none of those in skip_block_devices', () => {
    const node = { properties: { skip_block_devices: [{ name: '/dev/sdb' }, { volume_name: 'raid' }] } }

    assert.equal(chooseRootDevice(DISKS, node).name, '/dev/nvme0n1')
    assert.deepEqual(
      withoutSkipped(DISKS, node).map(({ name }) => name),
      ['/dev/sdc', '/dev/nvme0n1', '/dev/sda'],
    )
  })
})

describe('a text hint', () => {
  it('compares in any case, and sorts as text', () => {
    assert.equal(hintTest('model', 'text', 's>= b')('C'), true)
    assert.equal(hintTest('model', 'text', 's< b')('a'), true)
    assert.equal(hintTest('model', 'text', 's> b')('a'), false)
    assert.equal(hintTest('model', 'text', 's<= b')('B'), true)
  })
})
