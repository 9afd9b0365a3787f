/** Text from records for a machine's own screen, by iPXE's echo: always printable, never a command. */

const LENGTH_LIMIT = 200

/**
 * ASCII, one space between words, no expansion, no word that iPXE would take for an operator, a comment or a
 * continued line.
 */
export function screenText(text: string): string {
  return text
    .slice(0, LENGTH_LIMIT)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .replace(/[^\x20-\x7e]/g, '?')
    .replaceAll('${', '$ {')
    .trim()
    .split(' ')
    .map((word) => (/^#|^(?:\|\||&&|;)$|\\$/.test(word) ? `"${word}"` : word))
    .join(' ')
}
