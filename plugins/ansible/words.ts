/** Splits arguments as a shell does, without expanding anything. Pure. @source Python shlex.split */

const WORD = /(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/g
const PIECE = /"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)|([^"'\\]+)/g

export const splitWords = (text: string): string[] =>
  (text.match(WORD) ?? []).map((word) =>
    word.replace(PIECE, (_whole, double?: string, single?: string, escaped?: string, bare?: string) =>
      double === undefined ? (single ?? escaped ?? bare ?? '') : double.replace(/\\(["\\$`])/g, '$1'),
    ),
  )
