/** Request bodies: JSON, read no further than allowed, and fit to be walked. */
import { isUtf8 } from 'node:buffer'
import { hasMembers, parseExact, plainNumber } from '@appliance/ground/exact-number'
import type { z } from 'zod'
import { ApplianceError, InvalidParameterValue, PayloadTooLarge } from '../errors.ts'
import type { Call } from './parts.ts'
import { parse } from './schema.ts'

/** @source Ironic [api] max_json_body_depth */
const DEPTH_LIMIT = 25

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

/** @throws PayloadTooLarge, InvalidParameterValue */
export async function readJson(call: Call, limit_kib: number): Promise<unknown> {
  const body = await readText(call, limit_kib).catch(asRefusal)
  if (body.trim() === '') return {}
  let value: unknown
  try {
    value = parseExact(body)
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep()
    // The parser's words repeat the body, which may hold a password.
    throw new InvalidParameterValue('The request body is not valid JSON.')
  }
  checkShape(value, DEPTH_LIMIT)
  return plainNumber(value)
}

/** @throws PayloadTooLarge, InvalidParameterValue (the client went away: no fault of ours, and nobody hears it) */
async function readText(call: Call, limit_kib: number): Promise<string> {
  const limit = limit_kib * 1024
  const declared = call.req.header('content-length')
  if (Number(declared) > limit) throw tooLarge(limit_kib)
  // The HTTP parser lets no more through than was declared.
  if (declared !== undefined) return textOf(Buffer.from(await call.req.arrayBuffer()))
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of call.req.raw.body ?? []) {
    size += chunk.length
    if (size > limit) throw tooLarge(limit_kib)
    chunks.push(chunk)
  }
  return textOf(Buffer.concat(chunks))
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
  throw new InvalidParameterValue('The request ended before its body was complete.', { cause: error })
}

const tooLarge = (limit_kib: number) =>
  new PayloadTooLarge(
    `Request body is too large: at most ${limit_kib} KiB are accepted here ([api] max_json_body_size, and max_json_body_size_provision ` +
      'for a provision request, which may carry a config drive).',
  )

const tooDeep = () =>
  new InvalidParameterValue(`Request body JSON is nested too deeply (limit: ${DEPTH_LIMIT} levels).`)

function checkShape(value: unknown, left: number): void {
  if (!hasMembers(value)) return
  if (left === 0) throw tooDeep()
  if (Object.hasOwn(value, '__proto__')) throw new InvalidParameterValue("'__proto__' is not accepted as a key.")
  for (const item of Object.values(value)) checkShape(item, left - 1)
}
