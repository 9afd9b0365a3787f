/**
 * What the person at the terminal sees: a line for each stage that ended, and below, on a terminal, what goes on now.
 */
import type { Ongoing, Stage } from '../timeline.ts'

export type Display = {
  /** One line that stays. */
  say(line: string): void
  stage(machine: string, stage: Stage): void
  /** Redraws what goes on now; call it as often as you like. */
  show(ongoing: readonly Ongoing[]): void
  /** Takes away what is not to stay. */
  end(): void
}
export type Output = { write(text: string): unknown; isTTY?: boolean; columns?: number }

/** How often a line tells of progress where lines cannot be redrawn. */
const PLAIN_INTERVAL_MS = 5_000
const DEFAULT_COLUMNS = 100

export const inMiB = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(bytes < 10 * 1024 * 1024 ? 1 : 0)} MiB`
const seconds = (value: number) => `${value.toFixed(1).padStart(7)} s`
const rate = (bytes: number, took_s: number) => `${inMiB(bytes / Math.max(took_s, 0.001))}/s`

export function stageLine(machine: string, { name, at_s, took_s, bytes, note }: Stage): string {
  const details = [
    bytes === undefined ? undefined : inMiB(bytes),
    bytes === undefined || !took_s ? undefined : rate(bytes, took_s),
    took_s === undefined || took_s < 0.05 ? undefined : `took ${took_s.toFixed(1)} s`,
    note,
  ]
  return [seconds(at_s), machine.padEnd(8), name.padEnd(26), details.filter(Boolean).join('  ')].join('  ').trimEnd()
}

export function ongoingLine({ name, elapsed_s, activity }: Ongoing, now_ms: number): string {
  const head = `${seconds(elapsed_s)}  ${name.padEnd(8)}`
  if (!activity) return `${head}  ...`
  const { done, total, since_ms, note } = activity
  const took_s = (now_ms - since_ms) / 1000
  const parts = [`${activity.name}${note ? `: ${note}` : ''} ...`.padEnd(26)]
  if (done !== undefined && done > 0) {
    parts.push(total ? `${inMiB(done)} of ${inMiB(total)}` : inMiB(done), rate(done, took_s))
  }
  return `${head}  ${[...parts, `${took_s.toFixed(1)} s`].join('  ')}`
}

export function createDisplay(output: Output): Display {
  return output.isTTY ? createLiveDisplay(output) : createPlainDisplay(output)
}

function createLiveDisplay(output: Output): Display {
  let drawn = 0
  const wipe = () => {
    if (drawn > 0) output.write(`\u001b[${drawn}F\u001b[J`)
    drawn = 0
  }
  let last: readonly Ongoing[] = []
  const draw = () => {
    const width = output.columns ?? DEFAULT_COLUMNS
    for (const one of last) output.write(`${ongoingLine(one, Date.now()).slice(0, width - 1)}\n`)
    drawn = last.length
  }
  const say = (line: string) => {
    wipe()
    output.write(`${line}\n`)
    draw()
  }
  return {
    say,
    stage: (machine, stage) => say(stageLine(machine, stage)),
    show(ongoing) {
      wipe()
      last = ongoing
      draw()
    },
    end() {
      wipe()
      last = []
    },
  }
}

function createPlainDisplay(output: Output): Display {
  let told_ms = Date.now()
  const say = (line: string) => {
    told_ms = Date.now()
    output.write(`${line}\n`)
  }
  return {
    say,
    stage: (machine, stage) => say(stageLine(machine, stage)),
    show(ongoing) {
      if (Date.now() - told_ms < PLAIN_INTERVAL_MS) return
      for (const one of ongoing) say(ongoingLine(one, Date.now()))
    },
    end() {},
  }
}
