/**
 * How `npm test` reports: node:test's own report, with the seconds of each file as it ends, and the slowest files
 * before its totals.
 */
import { relative } from 'node:path'
import { Readable } from 'node:stream'
import { spec, type TestEvent } from 'node:test/reporters'

const SHOWN = 10

// biome-ignore lint/style/noDefaultExport: node:test takes a reporter by its default export
export default async function* slowestFiles(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  yield* Readable.from(withTimes(source)).compose(new spec())
}

/** @returns the same events, and diagnostics of ours among them */
export async function* withTimes(source: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  const files: { file: string; seconds: number }[] = []
  let told = false
  for await (const event of source) {
    if (event.type === 'test:summary' && event.data.file !== undefined) {
      const seconds = event.data.duration_ms / 1000
      const file = relative(process.cwd(), event.data.file)
      files.push({ file, seconds })
      yield diagnostic(`${seconds.toFixed(1)} s  ${file}`)
    }
    // The first line of the totals.
    if (
      !told &&
      event.type === 'test:diagnostic' &&
      event.data.nesting === 0 &&
      /^tests \d+$/.test(event.data.message)
    ) {
      told = true
      const slowest = files.toSorted((one, other) => other.seconds - one.seconds).slice(0, SHOWN)
      yield diagnostic(`the slowest of ${files.length} files:`)
      for (const { file, seconds } of slowest) yield diagnostic(`${seconds.toFixed(1).padStart(7)} s  ${file}`)
    }
    yield event
  }
}

const diagnostic = (message: string): TestEvent => ({
  type: 'test:diagnostic',
  data: { message, nesting: 0, level: 'info' },
})
