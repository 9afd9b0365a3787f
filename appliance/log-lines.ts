/**
 * Lines of the log for a person at a terminal: time, level, message, the fields. What a field holds cannot move the
 * cursor or hide a line.
 */
import { inspect } from 'node:util'

const LEVELS: Readonly<Record<string, { word: string; colour: string }>> = {
  debug: { word: 'debug', colour: '2' },
  info: { word: 'info ', colour: '32' },
  warn: { word: 'WARN ', colour: '1;33' },
  error: { word: 'ERROR', colour: '1;31' },
}

/**
 * Control characters (C0, C1), line and paragraph separators, and what turns the direction of writing.
 * @source ECMA-48; Unicode TR9
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu
const PLAIN = /^[\w.:/@+,*%~-]+$/

/** @param line  JSON, as the log writes it. @param colours  levels in colours, messages of errors too */
export function readableLine(line: string, colours: boolean): string {
  const { time, level, message, ...fields } = JSON.parse(line) as Record<string, unknown>
  const { word, colour } = LEVELS[String(level)] ?? { word: String(level), colour: '0' }
  const paint = (text: string, code: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text)
  const isLoud = level === 'error' || level === 'warn'
  const shown = isLoud ? paint(printable(String(message)), colour) : printable(String(message))
  const words = Object.entries(fields).flatMap(([name, value]) => {
    const text = name === 'error' || hasStack(value) ? messageIn(value) : value
    return ` ${paint(`${printable(name)}=`, '2')}${valueText(text)}`
  })
  const stacks = Object.values(fields)
    .filter(hasStack)
    .map(({ stack }) => stackLines(stack))
  return `${timeText(String(time))} ${paint(word, colour)} ${shown}${words.join('')}\n${stacks.join('')}`
}

/** The local time of this box, to the second. */
function timeText(time: string): string {
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? printable(time) : date.toTimeString().slice(0, 8)
}

const hasStack = (value: unknown): value is { stack: string } =>
  typeof value === 'object' && value !== null && typeof (value as { stack?: unknown }).stack === 'string'

const messageIn = (value: unknown): unknown => (hasStack(value) ? (value as { message?: unknown }).message : value)

const stackLines = (stack: string) =>
  stack
    .split('\n')
    .slice(1)
    .map((line) => `    ${printable(line.trim())}\n`)
    .join('')

/** Quotes a value that would not read as one word. */
function valueText(value: unknown): string {
  if (typeof value === 'string') return PLAIN.test(value) ? value : printable(JSON.stringify(value))
  return printable(typeof value === 'object' ? JSON.stringify(value) : inspect(value))
}

const printable = (text: string): string =>
  text.replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
