/** Request bodies: JSON, read no further than allowed, and fit to be walked. */
import { isUtf8 } from 'node:buffer'
import { hasMembers, parseExact, plainNumber } from '@appliance/ground/exact-number'
import { type JsonLimits, JsonMeter, JsonTooMuch } from '@appliance/ground/json-meter'
import type { z } from 'zod'
import { ApplianceError, InvalidParameterValue, PayloadTooLarge } from '../errors.ts'
import type { Call } from './parts.ts'
import { rawQuery } from './query.ts'
import { parse } from './schema.ts'

/**
 * The inventory of a large server has some 3,000 values. A node of as many as may be takes 40 to 60 ms from its bytes
 * to the disk.
 * @source depth: Ironic [api] max_json_body_depth
 */
const LIMITS: JsonLimits = { depth: 25, values: 10_000 }
const ONE_PIECE_BYTES = 64 * 1024

/**
 * The body as an object of this shape; none counts as {}.
 * @param what  names the body in messages
 * @param limit_kib  [api] max_json_body_size, or that of provision requests
 * @throws PayloadTooLarge, InvalidParameterValue
 */
export async function readBody<S extends z.ZodType>(
  call: Call,
  limit_kib: number,
  what: string,
  schema: S,
): Promise<z.output<S>> {
  return parse(schema, await readJson(call, limit_kib), what)
}

/**
 * What is asked of a node, in the body or in the query; the body's word counts where both have one.
 * @source Ironic: pecan hands a controller both, whatever the method
 * @throws PayloadTooLarge, InvalidParameterValue
 */
export async function readArguments<S extends z.ZodType>(
  call: Call,
  limit_kib: number,
  what: string,
  schema: S,
): Promise<z.output<S>> {
  const body = await readJson(call, limit_kib)
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body)
  return parse(schema, isObject ? { ...rawQuery(call), ...body } : body, what)
}

/** @throws PayloadTooLarge, InvalidParameterValue, ServiceUnavailable */
export async function readJson(call: Call, limit_kib: number): Promise<unknown> {
  const { text: body, hasOddNumbers } = await readText(call, limit_kib).catch(asRefusal)
  if (body.trim() === '') return {}
  let value: unknown
  try {
    value = parseExact(body, hasOddNumbers)
  } catch {
    // The parser's words repeat the body, which may hold a password.
    throw new InvalidParameterValue('The request body is not valid JSON.')
  }
  refuseProto(value)
  return plainNumber(value)
}

/**
 * What is refused is read to its end, though not kept: many clients read no answer before they have sent all.
 * @throws PayloadTooLarge, JsonTooMuch, InvalidParameterValue, ServiceUnavailable (the client went away: no fault of
 *   ours, and nobody hears it)
 */
async function readText(call: Call, limit_kib: number): Promise<{ text: string; hasOddNumbers: boolean }> {
  const limit = limit_kib * 1024
  const declared = call.req.header('content-length')
  if (Number(declared) > limit) throw tooLarge(limit_kib)
  const meter = new JsonMeter(LIMITS)
  const chunks: Uint8Array[] = []
  let size = 0
  let refusal: unknown
  const keep = (chunk: Uint8Array) => {
    call.get('body').hold(size)
    meter.add(chunk)
    chunks.push(chunk)
  }
  for await (const chunk of chunksOf(call, Number(declared ?? Number.NaN))) {
    size += chunk.length
    if (size > limit) throw tooLarge(limit_kib)
    if (refusal !== undefined) continue
    try {
      keep(chunk)
    } catch (error) {
      refusal = error
      chunks.length = 0
    }
  }
  if (refusal !== undefined) throw refusal
  return { text: textOf(Buffer.concat(chunks)), hasOddNumbers: meter.hasOddNumbers }
}

/** The HTTP parser lets no more through than was declared. A whole body in one piece costs less. */
async function* chunksOf(call: Call, declared: number): AsyncGenerator<Uint8Array> {
  if (declared <= ONE_PIECE_BYTES) yield new Uint8Array(await call.req.arrayBuffer())
  else yield* call.req.raw.body ?? []
}

/**
 * RFC 8259 section 8.1. Read all the same, bytes that are none would become other characters.
 * @throws InvalidParameterValue
 */
function textOf(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8')
  throw new InvalidParameterValue('The request body is not valid JSON: it is not encoded as UTF-8.')
}

function asRefusal(error: unknown): never {
  if (error instanceof ApplianceError) throw error
  if (error instanceof JsonTooMuch) throw error.kind === 'depth' ? tooDeep() : tooMuch(error)
  throw new InvalidParameterValue('The request ended before its body was complete.', { cause: error })
}

const tooLarge = (limit_kib: number) =>
  new PayloadTooLarge(
    `Request body is too large: at most ${limit_kib} KiB are accepted here ([api] max_json_body_size, and max_json_body_size_provision ` +
      'for a provision request, which may carry a config drive).',
  )

const tooDeep = () =>
  new InvalidParameterValue(`Request body JSON is nested too deeply (limit: ${LIMITS.depth} levels).`)

const tooMuch = ({ message }: JsonTooMuch) =>
  new InvalidParameterValue(`The request body is more than the appliance takes: ${message}. Send less of it at once.`)

/** No deeper than LIMITS allow. */
function refuseProto(value: unknown): void {
  if (!hasMembers(value)) return
  if (Object.hasOwn(value, '__proto__')) throw new InvalidParameterValue("'__proto__' is not accepted as a key.")
  for (const item of Object.values(value)) refuseProto(item)
}
