/** Takes a character off the end of a text, however often it stands there. /x+$/ takes the square of the time. */

/** @param character  one of UTF-16 */
export function trimEnd(text: string, character: string): string {
  let end = text.length
  while (end > 0 && text[end - 1] === character) end--
  return text.slice(0, end)
}
