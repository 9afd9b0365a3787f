/** What `apart.ts` starts: reads an order, runs the function that it names, and writes the answer. */
import { readFileSync, writeSync } from 'node:fs'

export type Order = { module: string; order: unknown; files: number }
type Acting = { act(order: unknown, given: { files: readonly number[]; input: Buffer }): unknown }

const FIRST_FILE = 3

async function answerTo(told: Buffer): Promise<{ value: unknown } | { refused: string }> {
  const end = told.indexOf('\n')
  const { module, order, files }: Order = JSON.parse(told.toString('utf8', 0, end))
  const { act } = (await import(module)) as Acting
  const given = { files: Array.from({ length: files }, (_, at) => FIRST_FILE + at), input: told.subarray(end + 1) }
  try {
    return { value: await act(order, given) }
  } catch (error) {
    const { message } = error as Error
    // Of a limit of memory: who waits hears of it by the end of this process.
    if (error instanceof RangeError && /allocation failed/i.test(message)) throw error
    return { refused: message }
  }
}

function writeAll(text: string): void {
  const bytes = Buffer.from(text)
  for (let done = 0; done < bytes.length; ) done += writeSync(1, bytes, done)
}

writeAll(JSON.stringify(await answerTo(readFileSync(0))))
