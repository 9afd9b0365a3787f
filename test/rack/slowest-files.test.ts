/** The report of `npm test`: node:test's own events stay as they are, and say in between which files take long. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { TestEvent } from 'node:test/reporters'
import { withTimes } from './slowest-files.ts'

const summary = (name: string | undefined, duration_ms: number) =>
  ({
    type: 'test:summary',
    data: { file: name && join(process.cwd(), name), duration_ms, success: true, counts: {} },
  }) as unknown as TestEvent
const diagnostic = (message: string, nesting = 0) =>
  ({ type: 'test:diagnostic', data: { message, nesting, level: 'info' } }) as TestEvent

async function messagesOf(events: readonly TestEvent[]): Promise<string[]> {
  const messages: string[] = []
  const source = async function* () {
    yield* events
  }
  for await (const { type, data } of withTimes(source()))
    messages.push(type === 'test:diagnostic' ? data.message : `(${type})`)
  return messages
}

describe('the report of npm test', () => {
  it('tells the seconds of each file as it ends, and the slowest before the totals, which come last', async () => {
    const files = Array.from({ length: 12 }, (_, index) => summary(`test/${index}.test.ts`, index * 1000 + 40))
    const totals = [diagnostic('tests 12'), diagnostic('pass 12'), summary(undefined, 99_000)]

    const messages = await messagesOf([...files.toReversed(), ...totals])

    assert.equal(messages[0], '11.0 s  test/11.test.ts')
    assert.deepEqual(messages.slice(-14), [
      'the slowest of 12 files:',
      ...[11, 10].map((index) => `   ${index}.0 s  test/${index}.test.ts`),
      ...[9, 8, 7, 6, 5, 4, 3, 2].map((index) => `    ${index}.0 s  test/${index}.test.ts`),
      ...['tests 12', 'pass 12', '(test:summary)'],
    ])
  })

  it('takes no words of a test for the totals', async () => {
    const messages = await messagesOf([diagnostic('tests 3', 1), diagnostic('tests 1')])

    assert.deepEqual(messages, ['tests 3', 'the slowest of 0 files:', 'tests 1'])
  })
})
