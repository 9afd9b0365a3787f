/** The progress of an erasure, with the time that it will still take: for the appliance and for the screen. */
import type { CommandContext } from '../protocol/commands.ts'
import type { Screen } from '../screen.ts'

export type Erasure = { add(more: number): void }
type Work = { what: string; total: number; unit: 'bytes' | 'steps' }

const SCREEN_PAUSE_MS = 1000
/** Before that the pace is anybody's guess. */
const PACE_KNOWN_MS = 10_000
const GIB = 1024 ** 3

export function createErasure(screen: Screen, context: CommandContext, { what, total, unit }: Work): Erasure {
  const began_ms = performance.now()
  let done = 0
  let shown_ms = Number.NEGATIVE_INFINITY
  const tell = () => {
    const now_ms = performance.now()
    const left = timeLeft((now_ms - began_ms) / 1000, done, total)
    const note = left === '' || unit === 'steps' ? what : `${what}, ${left}`
    context.progress({ note, done, total, unit })
    if (unit === 'steps' || (now_ms - shown_ms < SCREEN_PAUSE_MS && done !== total)) return
    shown_ms = now_ms
    screen.progress(`  ${(done / GIB).toFixed(1)} of ${(total / GIB).toFixed(1)} GiB${left === '' ? '' : `, ${left}`}`)
  }
  tell()
  return {
    add(more) {
      done += more
      tell()
    },
  }
}

/** In words that change seldom: each is a line in the appliance's log. */
export function timeLeft(passed_s: number, done: number, total: number): string {
  if (done === 0 || passed_s * 1000 < PACE_KNOWN_MS || done >= total) return ''
  const minutes = ((passed_s / done) * (total - done)) / 60
  if (minutes < 1) return 'less than a minute left'
  if (minutes < 10) return `about ${Math.ceil(minutes)} min left`
  if (minutes < 120) return `about ${Math.ceil(minutes / 10) * 10} min left`
  return `about ${Math.round(minutes / 60)} h left`
}
