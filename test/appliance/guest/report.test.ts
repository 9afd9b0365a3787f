/** What is believed of a guest's second serial line. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createReport } from '../../../appliance/guest/report.ts'
import type { Progress } from '../../../appliance/plugin-api/index.ts'

function reading(...pieces: (string | Buffer)[]) {
  const told: Progress[] = []
  const report = createReport((progress) => told.push(progress))
  for (const piece of pieces) report.add(Buffer.from(piece))
  return { told, outcome: report.outcome() }
}

describe('the report of a guest', () => {
  it('is read line by line, however it is cut', () => {
    const { told, outcome } = reading(
      '{"progress":{"note":"pull',
      'ing","done":1,"total":3,"unit":"bytes"}}\r\n{"res',
      'ult":{"disk":"/dev/vda"}}\r',
      '\n',
    )

    assert.deepEqual(told, [{ note: 'pulling', done: 1, total: 3, unit: 'bytes' }])
    assert.deepEqual(outcome, { result: { disk: '/dev/vda' } })
  })

  it('may be a result that is nothing', () => {
    assert.deepEqual(reading('{"result":null}\n').outcome, { result: null })
  })

  it('ends with the first result or error: what comes after it counts for nothing', () => {
    const { told, outcome } = reading('{"error":"no space left"}\n{"result":1}\n{"progress":{"note":"more"}}\n')

    assert.deepEqual(outcome, { error: 'no space left' })
    assert.deepEqual(told, [])
  })

  it('has no control characters, and texts of bounded length', () => {
    const { told, outcome } = reading(
      `${JSON.stringify({ progress: { note: `\u001b[2J\u202e${'n'.repeat(1000)}` } })}\n`,
      `${JSON.stringify({ error: `two\nlines ${'e'.repeat(10_000)}` })}\n`,
    )

    assert.match(told[0]?.note ?? '', /^n{100,200}$/)
    assert.match(outcome && 'error' in outcome ? outcome.error : '', /^two lines e{1900,2000}$/)
  })

  it('is not taken from what is no line of it', () => {
    const noise = [
      '[    0.000000] Linux version 6.12\n',
      '{"progress":{"note":1}}\n{"progress":{"note":"x","done":-1}}\n{"progress":{"note":"x","done":1e999}}\n',
      'null\n[]\n{"error":{}}\n{"result"\n{}\n',
      Buffer.from([0xff, 0xfe, 0x00, 0x0a]),
    ]

    assert.deepEqual(reading(...noise), { told: [], outcome: undefined })
  })

  it('is no flood: of much progress only a part is passed on, the result always', () => {
    const { told, outcome } = reading('{"progress":{"note":"x"}}\n'.repeat(5000), '{"result":"small"}\n')

    assert.ok(told.length >= 20 && told.length < 100, `${told.length} lines`)
    assert.deepEqual(outcome, { result: 'small' })
  })

  it('leaves out a line without an end, and goes on with the next one', () => {
    const endless = Array.from({ length: 40 }, () => `{"result":"${'x'.repeat(10_000)}`)

    assert.deepEqual(reading(...endless, '"}\n', '{"result":"small"}\n').outcome, { result: 'small' })
  })
})
