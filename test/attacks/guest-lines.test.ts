/** What a stranger's code writes to the serial line of a guest, where the agent's reports come. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createReport } from '../../appliance/guest/report.ts'
import { leastTick } from './longest-tick.ts'

const PIECE_BYTES = 64 * 1024
const STALL_LIMIT_MS = 100

describe('the serial line of a guest', () => {
  for (const [what, line] of [
    ['empty lines', '\n'],
    ['empty objects', '{}\n'],
    ['lines that are no JSON', '[\n'],
    ['lines that begin as reports do', '{"error":"\n'],
    ['reports that are none', '{"progress":1}\n'],
  ] as const) {
    it(`stands nothing still by nothing but ${what}, and a report among them is read`, async () => {
      const report = createReport(() => {})
      const piece = Buffer.from(line.repeat(PIECE_BYTES / line.length))
      const add = async () => report.add(piece)
      await add()

      const { longest_ms } = await leastTick(STALL_LIMIT_MS, add)
      report.add(Buffer.from('\n{"result":42}\n'))

      assert.deepEqual(report.outcome(), { result: 42 })
      assert.ok(longest_ms < STALL_LIMIT_MS, `everything stood still for ${longest_ms} ms`)
    })
  }
})
