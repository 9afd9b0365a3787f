/** What an operator sees of something long. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Progress, sizeText, timeText } from '../../../appliance/cli/progress.ts'

const GIB = 1024 ** 3

/** A clock that stands, and what was written. */
function example(isTTY: boolean) {
  const written: string[] = []
  let now = 0
  const progress = new Progress('import', { isTTY, write: (text: string) => written.push(text) }, () => now)
  const at = (ms: number, done: number) => {
    now = ms
    progress.update(done, 4 * GIB)
  }
  return { written, progress, at }
}

describe('progress', () => {
  it('is a plain line every ten seconds where there is no terminal', () => {
    const { written, progress, at } = example(false)

    for (let second = 1; second <= 25; second++) at(second * 1000, (second * GIB) / 10)
    progress.end()

    assert.deepEqual(written, [
      'import: 1.0 GiB of 4.0 GiB, 25 %, 102 MiB/s, 30 s left\n',
      'import: 2.0 GiB of 4.0 GiB, 50 %, 102 MiB/s, 20 s left\n',
    ])
  })

  it('is one line that changes on a terminal, and leaves nothing there', () => {
    const { written, progress, at } = example(true)

    at(0, 0)
    at(300, GIB)
    at(400, GIB)
    at(2000, 2 * GIB)
    progress.end()

    assert.deepEqual(written, [
      '\rimport: 0 bytes of 4.0 GiB, 0 %',
      '\rimport: 1.0 GiB of 4.0 GiB, 25 %',
      '\rimport: 2.0 GiB of 4.0 GiB, 50 %, 1.0 GiB/s, 2 s left',
      `\r${' '.repeat('import: 2.0 GiB of 4.0 GiB, 50 %, 1.0 GiB/s, 2 s left'.length)}\r`,
    ])
  })

  it('does not count what an earlier try had done as speed', () => {
    const { written, at } = example(false)

    at(1000, 3 * GIB)
    at(10_000, 3.5 * GIB)

    assert.deepEqual(written, ['import: 3.5 GiB of 4.0 GiB, 87 %, 56.9 MiB/s, 9 s left\n'])
  })

  it('tells sizes and times as people do', () => {
    assert.deepEqual([0, 1023, 1024, 1536, 150 * 1024, 5 * GIB].map(sizeText), [
      '0 bytes',
      '1023 bytes',
      '1.0 KiB',
      '1.5 KiB',
      '150 KiB',
      '5.0 GiB',
    ])
    assert.deepEqual([0.2, 59, 61, 3700].map(timeText), ['1 s', '59 s', '1 min 1 s', '1 h 1 min'])
  })
})
