/**
 * Texts of agents, guests and programs as they may be shown: in the log, in last_error, on a screen, as progress. What
 * a stranger wrote cannot move a cursor, set a title, turn the direction of writing, or hide a word.
 */

const ESC = '\\u001b'
const BELL = '\\u0007'
/**
 * In 7 and in 8 bits: control sequences; strings of the device, the operating system and applications, which end with
 * BEL or ST, or with the text; the others, of a few characters. @source ECMA-48 5.4, 5.6, 5.3
 */
const SEQUENCES = new RegExp(
  [
    `(?:${ESC}\\[|\\u009b)[0-?]*[ -/]*[@-~]?`,
    `(?:${ESC}[PX\\]^_]|[\\u0090\\u0098\\u009d-\\u009f])[^${BELL}${ESC}\\u009c]*(?:${BELL}|${ESC}\\\\|\\u009c|$)?`,
    `${ESC}[ -/]*[0-~]?`,
  ].join('|'),
  'g',
)
/** C0, C1 and separators of lines: each run of them is one blank. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}]+/gu
/** What has no shape: turns of direction, joiners, tags, marks of byte order. @source Unicode TR9, TR36 2.10 */
const INVISIBLE = /\p{Cf}/gu

/** One line. @param limit  characters of what is given back; cut the text before when it may be long */
export function plainText(text: string, limit = Number.POSITIVE_INFINITY): string {
  return text
    .toWellFormed()
    .replace(SEQUENCES, '')
    .replace(CONTROLS, ' ')
    .replace(INVISIBLE, '')
    .slice(0, limit)
    .toWellFormed()
    .trim()
}

const UNPRINTABLE = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu

/**
 * JSON that says the same, in which nothing works on a terminal: JSON itself escapes no character beyond U+001F.
 * @param json  as JSON.stringify writes it
 */
export const printableJson = (json: string): string =>
  json.replace(UNPRINTABLE, (character) => character.split('').map(escaped).join(''))

const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
