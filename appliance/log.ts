/**
 * Writes JSON lines for journald, and readable lines on a terminal: a constant message, the variables as fields.
 * Masks secrets by their key.
 */
import { writeSync } from 'node:fs'
import process from 'node:process'
import { isatty } from 'node:tty'
import { ExactNumber, hasMembers } from '@appliance/ground/exact-number'
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

/**
 * Keys whose values never leave the appliance, in logs or in answers, and are encrypted on the disk.
 * @source Ironic masks the same words.
 */
const SECRET_KEY = /password|passwd|secret|token|authorization|private_key|pull_secret|credential|kg_key/i
const DEPTH_LIMIT = 8

export const MASK = '******'

export const isSecretKey = (key: string): boolean => SECRET_KEY.test(key)

/**
 * A deep copy in which the value under every secret-looking key is masked.
 * @param leaf  turns what is neither a list nor a table into something to show
 */
export function maskSecrets(value: unknown, leaf: (value: unknown) => unknown = (same) => same, depth = 0): unknown {
  if (depth > DEPTH_LIMIT) return '...'
  const inside = (item: unknown) => maskSecrets(item, leaf, depth + 1)
  const shown = leaf(value)
  if (Array.isArray(shown)) return shown.map(inside)
  if (!hasMembers(shown) || shown instanceof Error) return shown
  return Object.fromEntries(
    Object.entries(shown).map(([key, item]) => [
      key,
      isSecretKey(key) && item !== null && item !== undefined && typeof item !== 'boolean' ? MASK : inside(item),
    ]),
  )
}

/** Secrets in texts: what stands after `password=` in a command line or a query, and before the @ of a URL. */
const SECRET_TEXT = /((?:password|passwd|secret|token|authorization|private_key|credential|kg_key)\w*=)[^\s&'"]+/gi
/** Secrets in JSON that a text quotes: "password": "x", "auth": "x" of a registry's auth file. */
const SECRET_JSON =
  /("(?:\w*(?:password|passwd|secret|token|authorization|private_key|credential)\w*|auth)"\s*:\s*")[^"]+/gi
const URL_PASSWORD = /(:\/\/[^\s/:@]*:)[^\s/@]+(?=@)/g

export const maskText = (text: string): string =>
  [SECRET_TEXT, SECRET_JSON, URL_PASSWORD].reduce((masked, secret) => masked.replace(secret, `$1${MASK}`), text)

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
    { write },
  )
  const at = (name: LogLevel) => (message: string, fields?: Json) => logger[name](fields ?? {}, message)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
