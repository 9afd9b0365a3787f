/**
 * Data as YAML whose every text is marked `!unsafe`: Ansible renders none of it, whatever braces it holds. Pure.
 * YAML, because all of Ansible 2.14 to 2.19 read this mark there.
 */

/** What PyYAML refuses as it stands, and line ends that YAML folds. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped
const TO_ESCAPE = /["\\\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]/g
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** @param value  what JSON can hold */
export function unsafeYaml(value: unknown): string {
  if (typeof value === 'string') return `!unsafe ${quoted(value)}`
  if (Array.isArray(value)) return `[${value.map(unsafeYaml).join(', ')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value ?? null)
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  return `{${entries.map(([key, item]) => `? ${quoted(key)} : ${unsafeYaml(item)}`).join(', ')}}`
}

function quoted(text: string): string {
  const inner = text
    .replace(LONE_SURROGATE, '\ufffd')
    .replace(TO_ESCAPE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return `"${inner}"`
}
