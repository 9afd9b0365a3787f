/** JSON lines on stdout for journald: a constant message, the variables as fields; secrets are cut out by key here. */
import { pino } from 'pino'
import type { Json } from './plugin-api/index.ts'

export type Log = {
  debug(message: string, fields?: Json): void
  info(message: string, fields?: Json): void
  warn(message: string, fields?: Json): void
  error(message: string, fields?: Json): void
}
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Keys whose values never leave the appliance, in logs or in answers, and are encrypted on the disk. @source Ironic masks the same words. */
const SECRET_KEY = /password|passwd|secret|token|authorization|private_key|pull_secret|credential|kg_key/i
const DEPTH_LIMIT = 8

export const MASK = '******'

export const isSecretKey = (key: string): boolean => SECRET_KEY.test(key)

/** A deep copy in which the value under every secret-looking key is masked. */
export function maskSecrets(value: unknown, depth = 0): unknown {
  if (depth > DEPTH_LIMIT) return '...'
  if (Array.isArray(value)) return value.map((item) => maskSecrets(item, depth + 1))
  if (value === null || typeof value !== 'object' || value instanceof Error) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      isSecretKey(key) && item !== null && item !== undefined && typeof item !== 'boolean'
        ? MASK
        : maskSecrets(item, depth + 1),
    ]),
  )
}

/** @param write  where lines go; stdout when left out */
export function createLog(level: LogLevel, write?: (line: string) => void): Log {
  const destination = write ? { write } : undefined
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }), log: (fields) => maskSecrets(fields) as Json },
      serializers: { error: pino.stdSerializers.err },
    },
    ...(destination ? [destination] : []),
  )
  const at = (name: LogLevel) => (message: string, fields?: Json) => logger[name](fields ?? {}, message)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
