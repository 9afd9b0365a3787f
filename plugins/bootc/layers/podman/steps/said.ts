/**
 * What podman and the image's own bootc say: made harmless for screens and logs, and the one line of it that tells why.
 */

export type Said = {
  /** @returns the line as it may be shown */
  add(line: string): string
  /**
   * The last line that says "error:", else the last one that tells of a failure, else the last one; what podman logs
   * beside it counts less.
   */
  telling(): string | undefined
}

const LINE_LIMIT = 400
/** A sentence with three whole digests hides its end, which tells why. */
const DIGEST = /(sha256:[0-9a-f]{12})[0-9a-f]{52}/g
/** Not the beginning of a dump: bootc shows the command that failed over many lines, after the one that says why. */
const ERROR = /^(error|fatal)\b.*[^{[(]$/i
/** A log line of podman's: its message. */
const LOG_LINE = /^time="[^"]*" level=\w+ msg=(.*)$/
const TELLING = /\b(error|fatal|failed|failure|cannot|can't|denied|refused|no space|not found)\b/i
/** Of the runtime, whose container was killed: nothing of why. */
const AFTERMATH = /\/sys\/fs\/cgroup\//
/** ESC [ ... letter, and ESC ] ... BEL: colours, cursors, titles. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const SEQUENCES = /\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?)/g

export function harmless(line: string): string {
  return line
    .replace(SEQUENCES, '')
    .replace(/[^\x20-\x7e]+/g, ' ')
    .replace(DIGEST, '$1')
    .trim()
    .slice(0, LINE_LIMIT)
}

export function createSaid(): Said {
  /** By how much they tell: any line, one of a failure that podman logs, one of a failure, one that says "error:". */
  const last: (string | undefined)[] = []
  const rankOf = (text: string, isLogged: boolean) => {
    if (AFTERMATH.test(text) || !TELLING.test(text)) return 0
    if (isLogged) return 1
    return ERROR.test(text) ? 3 : 2
  }
  return {
    add(line) {
      const clean = harmless(line)
      const message = LOG_LINE.exec(clean)?.[1]?.replace(/^"|"$/g, '')
      const text = message ?? clean
      if (text !== '') last[rankOf(text, message !== undefined)] = text
      return clean
    },
    telling: () => last[3] ?? last[2] ?? last[1] ?? last[0],
  }
}
