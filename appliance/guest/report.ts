/**
 * Reads the reports of the agent in a guest from its serial line, one JSON object a line. A stranger's code ran in
 * the guest and may write there, too.
 */
import { parseJson } from '@appliance/ground/json-meter'
import { plainText } from '@appliance/ground/plain-text'
import { z } from 'zod'
import type { Progress } from '../plugin-api/index.ts'

const LINE_LIMIT = 64 * 1024
/** {"error":""} is longer. */
const SHORTEST = 10
const [BRACE, QUOTE] = [0x7b, 0x22]
/** Lines of one piece that look like reports and are none: the others of the piece are not looked at. */
const STRANGE_LIMIT = 500
const NOTHING = Buffer.alloc(0)
const ERROR_LIMIT = 2000
const NOTE_LIMIT = 200
/** The limit of progress reports: each may become a line of the appliance's log. */
const BURST = 20
const EACH_S = 2

const count = z.number().finite().nonnegative()
const line = z.union([
  z.object({
    progress: z.object({
      note: z.string(),
      done: count.optional(),
      total: count.optional(),
      unit: z.enum(['bytes', 'steps']).optional(),
    }),
  }),
  z.object({ result: z.unknown() }).refine((value) => 'result' in value),
  z.object({ error: z.string() }),
])

type Outcome = { result: unknown } | { error: string }
export type Report = {
  add(bytes: Buffer): void
  /** The first result that was reported. */
  outcome(): Outcome | undefined
}

export function createReport(progress: (progress: Progress) => void): Report {
  let rest = NOTHING
  let skipping = false
  let outcome: Outcome | undefined
  let [left, at_ms] = [BURST, performance.now()]
  const isTooOften = () => {
    const now = performance.now()
    left = Math.min(BURST, left + ((now - at_ms) / 1000) * EACH_S)
    at_ms = now
    if (left < 1) return true
    left -= 1
    return false
  }
  /** @returns whether it is a report */
  const take = (text: string): boolean => {
    const told = parsed(text)
    if (told === undefined) return false
    if (outcome) return true
    if ('progress' in told) {
      if (isTooOften()) return true
      const { note, done, total, unit } = told.progress
      progress({
        note: plainText(note, NOTE_LIMIT),
        ...(done === undefined ? {} : { done }),
        ...(total === undefined ? {} : { total }),
        ...(unit === undefined ? {} : { unit }),
      })
    } else if ('error' in told) outcome = { error: plainText(told.error, ERROR_LIMIT) }
    else outcome = { result: told.result }
    return true
  }
  return {
    outcome: () => outcome,
    add(bytes) {
      let from = 0
      let strange = 0
      for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, from)) {
        if (!skipping && strange < STRANGE_LIMIT && mayReport(rest, bytes, from, end)) {
          if (!take(Buffer.concat([rest, bytes.subarray(from, end)]).toString('utf8'))) strange++
        }
        rest = NOTHING
        skipping = false
        from = end + 1
      }
      rest = Buffer.concat([rest, bytes.subarray(from)])
      if (rest.length <= LINE_LIMIT) return
      skipping = true
      rest = NOTHING
    },
  }
}

/** A stranger may write 60,000 lines in one piece: what is no object with a key is not parsed. */
function mayReport(rest: Buffer, bytes: Buffer, from: number, end: number): boolean {
  const length = rest.length + end - from
  if (length < SHORTEST || length > LINE_LIMIT) return false
  const at = (index: number) => rest[index] ?? bytes[from + index - rest.length]
  return at(0) === BRACE && at(1) === QUOTE
}

function parsed(text: string): z.infer<typeof line> | undefined {
  try {
    return line.safeParse(parseJson(text)).data
  } catch {
    // The kernel or a stranger wrote this line.
    return undefined
  }
}
