/**
 * Data as YAML. A text that could be a template or an expression is marked `!unsafe`: Ansible renders none of it,
 * whatever braces it holds. Pure. YAML, because all of Ansible 2.14 to 2.19 read this mark there.
 */

/**
 * Calls nothing and filters nothing, even where a playbook evaluates it as an expression. One marked text makes all of
 * the variable unsafe, and Ansible then refuses conditions such as Ironic's on mem_req.
 */
const HARMLESS = /^[\w .:/@+=,?&;-]*$/

/** What PyYAML refuses as it stands, and line ends that YAML folds. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped
const TO_ESCAPE = /["\\\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]/g
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** @param value  what JSON can hold */
export function unsafeYaml(value: unknown): string {
  if (typeof value === 'string') return HARMLESS.test(value) ? quoted(value) : `!unsafe ${quoted(value)}`
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
