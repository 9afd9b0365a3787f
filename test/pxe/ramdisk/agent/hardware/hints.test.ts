/** Hints as the stock agent reads them: its answers are in stock-hints.jsonl, and hints.long.test.ts asks it again. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { HintUnreadable } from '../../../../../pxe/ramdisk/agent/hardware/hints.ts'
import {
  matcherOf,
  problemOfRootDeviceHints,
  problemOfSkipBlockDevices,
} from '../../../../../pxe/ramdisk/agent/hardware/node-hints.ts'
import { type Answer, type Answers, DIFFERENCES, DISKS, HINTS } from './hint-cases.ts'

const stock = new Map(
  readFileSync(join(import.meta.dirname, 'stock-hints.jsonl'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const { hints, ...answers } = JSON.parse(line) as Answers & { hints: unknown }
      return [JSON.stringify(hints), answers] as const
    }),
)
const different = new Map(
  DIFFERENCES.flatMap(([why, ours, all]) => all.map((hints) => [JSON.stringify(hints), { why, ours }] as const)),
)

function ours(hints: Record<string, unknown>, several: boolean): Answer {
  try {
    return DISKS.filter(matcherOf(hints, { several })).map(({ name }) => name)
  } catch (error) {
    if (error instanceof HintUnreadable) return 'refused'
    throw error
  }
}
const oursOf = (hints: Record<string, unknown>): Answers => ({ root: ours(hints, true), skip: ours(hints, false) })

describe('a hint', () => {
  it('is tried in more than 250 spellings, each of which the stock agent was asked', () => {
    assert.ok(HINTS.length > 250, `${HINTS.length}`)
    assert.deepEqual(
      [...stock.keys()],
      HINTS.map((hints) => JSON.stringify(hints)),
    )
  })

  for (const hints of HINTS) {
    const key = JSON.stringify(hints)
    const difference = different.get(key)
    it(`${key} is read as by the stock agent${difference ? `, but: ${difference.why}` : ''}`, () => {
      const expected = difference ? { root: difference.ours, skip: difference.ours } : stock.get(key)

      assert.deepEqual(oursOf(hints), expected)
    })
  }

  it('differs from the stock agent only where the table says so', () => {
    const alike = [...different.keys()].filter((key) => {
      const hints = HINTS.find((candidate) => JSON.stringify(candidate) === key)
      return !hints || JSON.stringify(oursOf(hints)) === JSON.stringify(stock.get(key))
    })

    assert.deepEqual(alike, [])
  })
})

describe('what is wrong with hints', () => {
  for (const hints of [undefined, null, {}, { size: '>= 10' }]) {
    it(`is nothing: root_device ${JSON.stringify(hints)}`, () => {
      assert.equal(problemOfRootDeviceHints(hints), undefined)
    })
  }

  for (const [hints, problem] of [
    ['sda', 'root_device is "sda", and an object of hints is expected.'],
    [[{ name: '/dev/sda' }], 'root_device is [{"name":"/dev/sda"}], and an object of hints is expected.'],
    [0, 'root_device is 0, and an object of hints is expected.'],
    [{ serial: 123 }, 'Root device hint "serial" is not a string value. Hint expression: 123'],
    [
      { name: '!= /dev/vda' },
      'Root device hint "name" compares with !=, which is for numbers. Current value: != /dev/vda. Texts are compared with s==, s!=, ' +
        '<in> and <or>.',
    ],
    [
      { model: '<in> ssd <in> 870' },
      'Root device hint "model" has more operators than can be read. Current value: <in> ssd <in> 870. Several values are written ' +
        'as <or> one <or> other.',
    ],
    [{ model: '\ud800' }, 'Root device hint "model" is not a text: "\\ud800"'],
  ] as const) {
    it(`is told: root_device ${JSON.stringify(hints)}`, () => {
      assert.equal(problemOfRootDeviceHints(hints), problem)
    })
  }

  for (const list of [undefined, null, [], [{ name: '/dev/vda' }, { volume_name: 'root' }]]) {
    it(`is nothing: skip_block_devices ${JSON.stringify(list)}`, () => {
      assert.equal(problemOfSkipBlockDevices(list), undefined)
    })
  }

  const expected = 'a list of objects of hints is expected, e.g. [{"name": "/dev/vda"}].'
  for (const [list, problem] of [
    [{}, `skip_block_devices is {}, and ${expected}`],
    ['', `skip_block_devices is "", and ${expected}`],
    [false, `skip_block_devices is false, and ${expected}`],
    [[[{ name: '/dev/vda' }]], `skip_block_devices[0] is [{"name":"/dev/vda"}], and ${expected}`],
    [[{ name: '/dev/vda' }, null], `skip_block_devices[1] is null, and ${expected}`],
    [
      [{ nmae: '/dev/vda' }],
      'skip_block_devices[0] is {"nmae":"/dev/vda"}. The hints "nmae" are invalid. Valid hints are: "size, model, wwn, serial, vendor, ' +
        'wwn_with_extension, wwn_vendor_extension, name, rotational, hctl, by_path, tran"',
    ],
    [
      [{ size: 'large' }],
      'skip_block_devices[0] is {"size":"large"}. Root device hint "size" is not a positive integer. Current value: large',
    ],
    [
      [{ volume_name: 5 }],
      'skip_block_devices[0] is {"volume_name":5}. volume_name is the name of a software RAID, a text.',
    ],
    [
      [{ volume_name: 'root', name: '/dev/vda' }],
      'skip_block_devices[0] is {"volume_name":"root","name":"/dev/vda"}. volume_name stands alone: name belongs into an object of ' +
        'its own.',
    ],
  ] as const) {
    it(`is told: skip_block_devices ${JSON.stringify(list)}`, () => {
      assert.equal(problemOfSkipBlockDevices(list), problem)
    })
  }
})
