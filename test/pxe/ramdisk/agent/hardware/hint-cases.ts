/** Root device hints in families, and disks to try them on: what the stock agent and ours are asked. */
import type { Disk } from '../../../../../pxe/ramdisk/agent/hardware/disks.ts'
import { GIB } from '../fake-machine.ts'

/** A disk of which nothing is known but what is given. */
export const disk = (change: Partial<Disk>): Disk => ({
  name: '/dev/sda',
  model: null,
  size: 10 * GIB,
  rotational: false,
  wwn: null,
  serial: null,
  vendor: null,
  wwn_with_extension: null,
  wwn_vendor_extension: null,
  hctl: null,
  by_path: null,
  logical_sectors: 512,
  physical_sectors: 512,
  tran: null,
  ...change,
})

export const DISKS: readonly Disk[] = [
  disk({ name: '/dev/vda', size: 2 * GIB, serial: '123', vendor: '0x1af4' }),
  disk({
    name: '/dev/sdb',
    model: 'Samsung SSD 870',
    serial: 'S5Y1NJ',
    vendor: 'ATA',
    wwn: '0x5002538f',
    wwn_with_extension: '0x5002538f00000001',
    wwn_vendor_extension: '0x00000001',
    hctl: '1:0:0:0',
    by_path: '/dev/disk/by-path/pci-0000:00:1f.2-ata-1',
    tran: 'sata',
  }),
  disk({ name: '/dev/nvme0n1', size: 20 * GIB, model: 'INTEL P4510', serial: 'BTLJ 9', wwn: 'eui.0025', tran: 'nvme' }),
  disk({ name: '/dev/sdc', size: 20.5 * GIB, model: 'Größe Ω 50%', serial: '42', vendor: 'a=b', tran: 'usb' }),
  disk({ name: '/dev/sda', size: 4000 * GIB, model: 'ST4000NM', rotational: true, vendor: 'SEAGATE', hctl: '0:0:0:0' }),
]

const NUMERIC = ['==', '=', '!=', '>=', '<=', '>', '<']
const TEXTUAL = ['s==', 's!=', 's>=', 's<=', 's>', 's<', '<in>', '<or>']
const each = (names: readonly string[], values: readonly unknown[]) =>
  names.flatMap((name) => values.map((value) => ({ [name]: value })))
const operated = (operators: readonly string[], values: readonly string[]) =>
  operators.flatMap((operator) => values.map((value) => `${operator} ${value}`))

/** Each is one object of hints. */
export const HINTS: readonly Record<string, unknown>[] = [
  // Numbers compared with numbers.
  ...each(['size'], operated([...NUMERIC, ...TEXTUAL], ['10', '20'])),
  ...each(['size'], [10, '10', ' 10 ', '+10', '1_0', 20, 21, '>=10', '>=  10', '<or> 10 <or> 2', '<or> 4000', '= 11']),
  ...each(
    ['size'],
    ['', ' ', 0, -1, 1.5, '1.5', '0', '-1', '>= 0', 'ten', '10 GiB', '>=', '10 20', '0x10', null, true],
  ),
  ...each(['size'], [[10], { min: 10 }, '<range-in> [ 5 25 ]', '<all-in> 10', '>= 10 >= 20', '1e1', '1e400', '!= ten']),
  // Texts, with operators for texts.
  ...each(['name'], operated(TEXTUAL, ['/dev/vda', '/dev/sdb', '/DEV/SDA'])),
  ...each(['serial'], operated(TEXTUAL, ['123', 's5y1nj', 'btlj 9'])),
  ...each(['model'], operated(TEXTUAL, ['INTEL P4510', 'none', 'ST'])),
  ...each(['wwn', 'vendor', 'hctl', 'tran'], ['s!= nothing', 's== nothing', '<in> 0', 's> 0']),
  // Texts, with operators for numbers: where the image went to the first disk.
  ...each(['name'], operated(NUMERIC, ['/dev/vda', '5'])),
  ...each(['serial', 'model', 'vendor', 'wwn'], operated(NUMERIC, ['ata', '42'])),
  ...each(
    ['serial'],
    ['== 42.0', '== 4.2e1', '!= 4_2', '>= -5', '== +42', '!= nan', '< inf', '== 0x2a', '!= .5', '== 42.', '!= -inf'],
  ),
  // No operator.
  ...each(['name'], ['/dev/sda', ' /dev/sda ', '/DEV/sda', '/dev/nobody', 'sda', '\t/dev/sda\n']),
  { by_path: '/dev/disk/by-path/pci-0000:00:1f.2-ata-1' },
  { by_path: '<in> ata-1' },
  { by_path: 's!= /dev/disk/by-path/pci-0000:00:1f.2-ata-1' },
  { wwn: '0x5002538F', tran: 'SATA' },
  { wwn_with_extension: '0x5002538f00000001' },
  { wwn_vendor_extension: '0x00000001' },
  { hctl: '1:0:0:0' },
  { hctl: '0:0:0:0', rotational: 'yes' },
  // Several values.
  ...each(
    ['model'],
    ['<or> intel p4510 <or> st4000nm', '<or>intel p4510<or>st4000nm', '<or> a <or> b', '<or> st4000nm <or>'],
  ),
  ...each(['model'], ['st4000nm <or> intel p4510', '<or> st4000nm <or> <or> intel p4510', '<or>', '<or> <or>']),
  ...each(
    ['model'],
    ['<all-in> 870 ssd', '<all-in>', '<all-in> 870 <all-in> ssd', '<in> ssd <in> 870', '<in>', '<in> 20'],
  ),
  ...each(
    ['model'],
    ['<range-in> [ 1 2 ]', '<range-in>', '<foo> bar', '<', '>', '< >', 's==', '==', '!=', 's!=', 's<', 's= x'],
  ),
  ...each(
    ['model'],
    ['s== s== x', 's== == x', 's!= <in> x', 's== a s== b', '!= != 5', '= =', 's==st4000nm', 's!=st4000nm'],
  ),
  // Spelling: percent signs, spaces, letters of other languages, quotes.
  ...each(
    ['model'],
    ['größe ω 50%', 'GRÖSSE Ω 50%', 'Größe Ω 50%', 'gr%C3%B6%C3%9Fe', '<in> ω', '<in> 50%', '<in> %', 's> z', 's< é'],
  ),
  ...each(
    ['model'],
    ['samsung%20ssd%20870', 'Samsung  SSD 870', 'samsung\tssd 870', '"samsung ssd 870"', "'st4000nm'", '<in> d 8'],
  ),
  ...each(
    ['model'],
    ['<in> SSD', '<in>ssd', '<in>\tssd', ' <in> ssd ', '.*', 's== *', 'st4000nm;', '\\', '<in> \u00a0ssd', 'ſt4000nm'],
  ),
  ...each(
    ['vendor'],
    ['a=b', 's== a=b', 's!= a=b', '<in> =b', '<in> a=', 'ATA', 'ata ', '0x1AF4', 's>= b', '<or> ata <or> seagate'],
  ),
  // What is no text.
  ...each(['name', 'serial', 'vendor'], ['', ' ', 5, 5.5, true, null, ['/dev/sda'], { is: '/dev/sda' }]),
  // True and false.
  ...each(
    ['rotational'],
    [true, false, 1, 0, 'true', 'True', ' yes ', 'Y', 'on', 't', '1', 'false', 'No', 'off', 'F', 'n', '0'],
  ),
  ...each(['rotational'], ['', 'perhaps', '2', 2, null, [true], {}, '== true', 's== true', '!= true', 'truee']),
  // Several hints, and hints that there are not.
  { size: '>= 10', rotational: false },
  { size: '>= 10', model: 's!= samsung ssd 870', tran: 'nvme' },
  { size: '>= 10', name: '!= /dev/vda' },
  { colour: 'red' },
  { colour: 'red', name: '/dev/sda' },
  { Name: '/dev/sda' },
  { 'name ': '/dev/sda' },
  { volume_name: 'root' },
  { names: ['/dev/sda'] },
]

export type Answer = readonly string[] | 'refused'
/** As a root device's hints are asked, and as those of a disk to skip. */
export type Answers = { root: Answer; skip: Answer }
/** Where ours answers otherwise than the stock agent 13.0.0, and why. */
export const DIFFERENCES: readonly [why: string, ours: Answer, hints: readonly Record<string, unknown>[]][] = [
  [
    'a size is a number, and these compare it with a text: no disk matches, or every one',
    'refused',
    each(['size'], ['s== 10', 's== 20', 's!= 10', 's!= 20']),
  ],
  [
    'the stock agent compares the number with texts, and finds no disk of one size or another',
    ['/dev/sdb'],
    [{ size: '<or> 10' }],
  ],
  ['as above', ['/dev/nvme0n1'], [{ size: '<or> 20' }]],
  ['as above', ['/dev/vda', '/dev/sdb'], [{ size: '<or> 10 <or> 2' }]],
  ['as above', ['/dev/sda'], [{ size: '<or> 4000' }]],
  [
    'the stock agent reads the first value alone, and drops what stands behind it in silence',
    'refused',
    [
      { size: '>= 10 >= 20' },
      { model: '<or> st4000nm <or> <or> intel p4510' },
      { model: '<in> ssd <in> 870' },
      { model: 's== a s== b' },
    ],
  ],
  [
    'a text cannot be compared as a number; the stock agent says so of a name, and finds nothing by a serial number or WWN',
    'refused',
    [...each(['serial', 'wwn'], operated(NUMERIC, ['ata'])), ...each(['serial'], ['== +42', '== 0x2a'])],
  ],
  ['every number differs from nan and from infinity', 'refused', each(['serial'], ['!= nan', '< inf', '!= -inf'])],
  [
    'Ironic documents <all-in>, and the stock agent fails on it whatever stands behind',
    ['/dev/sdb'],
    each(['model'], ['<all-in> 870 ssd', '<all-in> 870 <all-in> ssd']),
  ],
  ['the stock agent finds 20 in the %20 that it makes of a space', [], [{ model: '<in> 20' }]],
  ['a no-break space is a space', ['/dev/sdb'], [{ model: '<in> \u00a0ssd' }]],
]
