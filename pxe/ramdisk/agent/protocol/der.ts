/** The few forms of DER (ITU-T X.690) that a certificate needs. */

const element = (tag: number, content: Buffer): Buffer =>
  Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content])

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length])
  const bytes = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.from(bytes)
}

export const sequence = (...parts: readonly Buffer[]) => element(0x30, Buffer.concat(parts))
export const set = (...parts: readonly Buffer[]) => element(0x31, Buffer.concat(parts))
export const octets = (content: Buffer) => element(0x04, content)
export const bits = (content: Buffer) => element(0x03, Buffer.concat([Buffer.from([0]), content]))
export const utf8 = (text: string) => element(0x0c, Buffer.from(text, 'utf8'))
export const yes = () => element(0x01, Buffer.from([0xff]))
export const explicit = (tag: number, content: Buffer) => element(0xa0 | tag, content)
/** Primitive and context specific, as in GeneralName. */
export const context = (tag: number, content: Buffer) => element(0x80 | tag, content)

/** Not negative. */
export function integer(value: Buffer): Buffer {
  const first = value.findIndex((byte) => byte !== 0)
  const short = first < 0 ? Buffer.from([0]) : value.subarray(first)
  return element(0x02, (short[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), short]) : short)
}

export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  return element(0x06, Buffer.from([first * 40 + second, ...rest.flatMap((value) => base128(value))]))
}

/** Seven bits a byte; all but the last have the highest bit set. */
function base128(value: number, last = true): number[] {
  const byte = (value & 0x7f) | (last ? 0 : 0x80)
  return value < 128 ? [byte] : [...base128(value >> 7, false), byte]
}

/** @source RFC 5280 section 4.1.2.5: two digits of the year until 2049 */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '')
  return date.getUTCFullYear() < 2050 ? element(0x17, Buffer.from(digits.slice(2))) : element(0x18, Buffer.from(digits))
}
