/**
 * Kernel parameters between a record and an iPXE script: what cannot be carried over unchanged is refused, so nothing
 * can be injected.
 */
import { PxeError } from './config.ts'

/** Key and value; an empty value makes a bare word. */
export type KernelParameter = readonly [key: string, value: string]

/** So that the appliance's own parameters fit beside it; the kernel cuts at 2,048 bytes (COMMAND_LINE_SIZE, x86). */
const TEXT_LIMIT = 1024
export const COMMAND_LINE_LIMIT = 2047

/**
 * iPXE splits a line at white space and knows no quotes and no escapes (src/core/exec.c): a word `||`, `&&` or `;`
 * ends the command, one that begins with # the line, and ${...} is expanded again and again (src/core/settings.c).
 * Backslash at the end joins lines (src/image/script.c). The kernel knows double quotes only, and no escape inside
 * them (lib/cmdline.c, next_arg).
 */
const REFUSALS: readonly (readonly [RegExp, string])[] = [
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  [/[\x00-\x1f\x7f]/, 'a line break or another control character'],
  [/[^\x20-\x7e]/, 'a character that is not ASCII'],
  [/\$\{/, '"${", which iPXE would expand'],
  [/(?:^| )(?:\|\||&&|;)(?: |$)/, 'a word "||", "&&" or ";", which would end the command in iPXE'],
  [/(?:^| )#/, 'a word that begins with "#", which would begin a comment in iPXE'],
  [/[\\']/, 'a backslash or a single quote, which neither iPXE nor the kernel can escape'],
]
/** A word, key=word, key="some words", or "some words"; words are one space apart, because iPXE would make it one. */
const PARAMETER = /^(?:([^\s"=]+=)?"([^\s"]+(?: [^\s"]+)*)"|([^\s"]+))(?:\s+|$)/

/**
 * The parameters of a text such as `nofb console=ttyS0 dyndbg="file a.c +p"`.
 * @throws PxeError  one sentence about what cannot be carried over
 */
export function parseKernelParameters(text: string): KernelParameter[] {
  refuse(text)
  if (text.length > TEXT_LIMIT) throw refusal(`${text.length} characters; the limit is ${TEXT_LIMIT}`)
  const parameters: KernelParameter[] = []
  for (let rest = text.trim(); rest !== ''; ) {
    const match = PARAMETER.exec(rest)
    if (!match) throw refusal('double quotes that are not around a whole value, or spaces in them that iPXE would join')
    const [all, key = '', quoted, bare = ''] = match
    parameters.push(quoted === undefined ? splitAtEquals(bare) : key ? [key.slice(0, -1), quoted] : [quoted, ''])
    rest = rest.slice(all.length)
  }
  return parameters
}

/** For the appliance's validate. @throws PxeError */
export function checkKernelParameters(text: string): void {
  parseKernelParameters(text)
}

/** As it stands in a script and on the kernel's command line. @throws PxeError */
export function renderKernelParameter([key, value]: KernelParameter): string {
  for (const part of [key, value]) {
    refuse(part)
    if (part.includes('"')) throw refusal('a double quote inside a value, which the kernel cannot escape')
    if (/^ | {2}| $/.test(part)) throw refusal('spaces that iPXE would join')
  }
  const text = value === '' ? key : `${key}=${value}`
  if (key === '' || (value !== '' && /[ =]/.test(key))) throw refusal(`"${key}" as the name of a parameter`)
  refuse(text)
  if (!text.includes(' ')) return text
  return value === '' ? `"${key}"` : `${key}="${value}"`
}

function splitAtEquals(word: string): KernelParameter {
  const at = word.indexOf('=')
  // `root=` keeps its sign: an empty value alone would make it a bare word.
  return at < 1 || at === word.length - 1 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)]
}

function refuse(text: string): void {
  const found = REFUSALS.find(([sign]) => sign.test(text))
  if (found) throw refusal(found[1])
}

const refusal = (found: string) => new PxeError(`Kernel parameters hold ${found}. Remove it.`)
