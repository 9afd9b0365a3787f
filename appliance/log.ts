/**
 * Writes JSON lines for journald, and readable lines on a terminal: a constant message, the variables as fields.
 * Masks secrets by their key.
 */
import { writeSync } from 'node:fs'
import process from 'node:process'
import { isatty } from 'node:tty'
import { ExactNumber } from '@appliance/ground/exact-number'
import { printableJson } from '@appliance/ground/plain-text'
import { maskSecrets, maskText } from '@appliance/ground/secret-words'
import { pino } from 'pino'
import { readableLine } from './log-lines.ts'
import type { Json } from './plugin-api/index.ts'

export type Log = {
  debug(message: string, fields?: Json): void
  info(message: string, fields?: Json): void
  warn(message: string, fields?: Json): void
  error(message: string, fields?: Json): void
}
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Shows an error with its causes; its own fields are masked like all others. */
function shownInLog(value: unknown): unknown {
  if (typeof value === 'string') return maskText(value)
  if (value instanceof ExactNumber) return value.source
  if (value instanceof Error) return pino.stdSerializers.err(value)
  if (value instanceof Map) return Object.fromEntries(value)
  if (value instanceof Set) return [...value]
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`
  if (value instanceof URL || value instanceof Date) return shownInLog(String(value.toJSON()))
  return value
}

/** Keys of a line that are the log's own; a field of that name gets an underscore. */
const OWN_KEYS: ReadonlySet<string> = new Set(['level', 'time', 'message'])

const fieldsOf = (fields: Json): Json =>
  Object.fromEntries(
    Object.entries(maskSecrets({ ...fields }, shownInLog) as Json).map(([key, value]) => [
      OWN_KEYS.has(key) ? `${key}_` : key,
      value,
    ]),
  )

const STDOUT = 1
/** A reader that takes nothing for so long loses the line. */
const FULL_PIPE_LIMIT_MS = 1_000
const FULL_PIPE_PAUSE_MS = 10

/**
 * Writes readable lines on a terminal, and JSON elsewhere. A log that cannot be written, as on a terminal that is
 * gone, is no reason to end.
 */
function toStdout(): (line: string) => void {
  if (!isatty(STDOUT)) return writeLine
  const colours = !process.env.NO_COLOR && process.env.TERM !== 'dumb'
  return (line) => writeLine(readableLine(line, colours))
}

function writeLine(line: string): void {
  const bytes = Buffer.from(line)
  let waited_ms = 0
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(STDOUT, bytes, at)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || waited_ms >= FULL_PIPE_LIMIT_MS) return
      waited_ms += FULL_PIPE_PAUSE_MS
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_PAUSE_MS)
    }
  }
}

/** @param write  where lines go; stdout when left out */
export function createLog(level: LogLevel, write: (line: string) => void = toStdout()): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }), log: fieldsOf },
    },
    { write: (line: string) => write(printableJson(line)) },
  )
  const at = (name: LogLevel) => (message: string, fields?: Json) => logger[name](fields ?? {}, message)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
