/** What podman and the image's own bootc say: made harmless for screens and logs, and the one line of it that tells why. */

export type Said = {
  /** @returns the line as it may be shown */
  add(line: string): string
  /** The last line that tells of an error, else the last one. */
  telling(): string | undefined
}

const LINE_LIMIT = 300
const TELLING = /\b(error|fatal|failed|failure|cannot|denied|refused|no space|not found)\b/i
/** ESC [ ... letter, and ESC ] ... BEL: colours, cursors, titles. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const SEQUENCES = /\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?)/g

export function harmless(line: string): string {
  return line
    .replace(SEQUENCES, '')
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, LINE_LIMIT)
}

export function createSaid(): Said {
  let last: string | undefined
  let telling: string | undefined
  return {
    add(line) {
      const clean = harmless(line)
      if (clean !== '') {
        last = clean
        if (TELLING.test(clean)) telling = clean
      }
      return clean
    },
    telling: () => telling ?? last,
  }
}
