/** One step of SECURITY.md that a program can look at. It only looks, and changes nothing. */
import type { Settings } from '../settings.ts'

export type Finding =
  | { state: 'taken'; found: string }
  /** `remedy`: what to do, in one sentence. */
  | { state: 'open'; found: string; remedy: string }
  /** Such as a file that this account may not read. */
  | { state: 'unknown'; found: string }

export type Step = {
  /** The heading in SECURITY.md. */
  name: string
  /** What it throws is shown as unknown. */
  look(settings: Settings): Finding | Promise<Finding>
}

export const taken = (found: string): Finding => ({ state: 'taken', found })
export const open = (found: string, remedy: string): Finding => ({ state: 'open', found, remedy })
export const unknown = (found: string): Finding => ({ state: 'unknown', found })
