/** Config drives that are dear to look at, as a client or a server that one is fetched from may send them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { checkConfigDrive } from '../../appliance/images/config-drive.ts'
import { leastTick } from './longest-tick.ts'

const MIB = 1024 * 1024
const STALL_LIMIT_MS = 50
const driveOf = (bytes: number, level: number) => {
  const volume = Buffer.alloc(bytes)
  volume.write('CD001', 0x8001)
  return gzipSync(volume, { level }).toString('base64')
}

/** In one piece, as JSON.parse gives it. */
const flat = (text: string) => Buffer.from(text, 'latin1').toString('latin1')

describe('a config drive', () => {
  for (const [what, text, refusal] of [
    ['40 million characters', driveOf(30 * MIB, 0), /^taken$/],
    [
      '40 million characters and one that is none',
      flat(`${driveOf(30 * MIB, 0)}!`),
      /is neither an address nor base64/,
    ],
    ['a little that unpacks to 70 MiB', driveOf(70 * MIB, 1), /its volume is larger, the most is 64 MiB/],
  ] as const) {
    it(`stands nothing still by ${what}`, async () => {
      const check = () =>
        checkConfigDrive(text).then(
          () => 'taken',
          ({ message }: Error) => message,
        )
      await checkConfigDrive(driveOf(MIB, 0))

      const { longest_ms, value } = await leastTick(STALL_LIMIT_MS, check)

      assert.match(value, refusal)
      assert.ok(longest_ms < STALL_LIMIT_MS, `everything stood still for ${longest_ms} ms`)
    })
  }
})
