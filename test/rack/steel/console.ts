/** A machine's console log as a person would read it. */

/** What firmware and boot loaders send to move about the screen. @source ECMA-48 section 5.4 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is control characters that are taken out
const CONTROL = /\u001b\[[0-9;?!]*[ -/]*[@-~]|\u001b[@-Z\\-_c]|[\u0000-\u0009\u000b-\u001f]/g

export const readable = (text: string): string => text.replace(/\r\n?/g, '\n').replace(CONTROL, '')

/** The last line that holds anything, cut to what one can read at a glance. */
export function lastConsoleLine(text: string): string {
  const lines = readable(text.slice(-20_000)).split('\n')
  return (lines.findLast((line) => line.trim() !== '') ?? '').trim().slice(0, 160)
}
