/** Bodies of JSON that are cheap to send and dear to read. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Box, during, quietest, repeated, sendRaw, startBox } from './box.ts'

const MIB = 1024 * 1024
const VERSION = '1.115'
const HEADERS = { 'content-type': 'application/json', 'X-OpenStack-Ironic-API-Version': VERSION }
/** Of processor time, in which nobody else is served. */
const BUSY_LIMIT_S = 0.1
const GROWTH_LIMIT_MIB = 300

const ends: (() => unknown)[] = []
let box: Box
before(async () => {
  box = await startBox({ after: (end) => ends.unshift(end) })
  const made = await ask('POST', '/v1/nodes', JSON.stringify({ driver: 'fake-hardware', name: 'n1' }))
  assert.equal(made.status, 201)
})
after(async () => {
  for (const end of ends) await end()
})

async function ask(method: string, path: string, body: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${box.api}${path}`, { method, headers: HEADERS, body })
  return { status: answer.status, text: await answer.text() }
}

/** With a Content-Length, as an attacker who knows the limit would. */
async function provision(pieces: readonly Iterable<Uint8Array>[]): Promise<string> {
  const length = pieces.flatMap((piece) => [...piece]).reduce((sum, { length }) => sum + length, 0)
  const head = [
    'PUT /v1/nodes/n1/states/provision HTTP/1.1',
    'Host: 127.0.0.1',
    'Connection: close',
    `X-OpenStack-Ironic-API-Version: ${VERSION}`,
    'Content-Type: application/json',
    `Content-Length: ${length}`,
  ]
  function* all() {
    yield `${head.join('\r\n')}\r\n\r\n`
    for (const piece of pieces) yield* piece
  }
  return sendRaw(box.api, all())
}

const part = (text: string): Uint8Array[] => [Buffer.from(text)]
/** Nearly as much as is taken. */
const WHOLE = 64 * MIB - 100
const filled = (from: string, unit: string, to: string, bytes = 16 * MIB) => [
  part(from),
  [...repeated(unit, bytes - (bytes % unit.length))],
  part(to),
]

describe('the body of a provision request, which may be 64 MiB', () => {
  const attacks: readonly {
    what: string
    body: readonly Iterable<Uint8Array>[]
    answer: RegExp
    /** JSON.parse takes a text in one go, and a config drive is one text. */
    busy_s?: number
  }[] = [
    {
      what: 'lists that never end',
      body: filled('', '[', '', WHOLE),
      answer: /nested too deeply \(limit: 25 levels\)/,
    },
    { what: 'objects that never end', body: filled('', '{"a":', ''), answer: /nested too deeply \(limit: 25 levels\)/ },
    {
      what: 'millions of empty objects',
      body: filled('[', '{},', '{}]', WHOLE),
      answer: /holds more than 10000 values/,
    },
    { what: 'millions of numbers to keep exact', body: filled('[', '1.0,', '1]'), answer: /more than 10000 values/ },
    {
      what: 'the same key, millions of times',
      body: filled('{', '"a":1,', '"a":1}'),
      answer: /more than 10000 values/,
    },
    { what: 'one number of 16 MiB', body: filled('', '1', ''), answer: /number of more than 4300 characters/ },
    { what: 'a fraction of 16 MiB', body: filled('1.', '0', '1'), answer: /number of more than 4300 characters/ },
    {
      what: 'a text of escapes',
      body: filled('{"target":"manage","a":"', '\\u0041', '"}', WHOLE),
      answer: /'a' was unexpected/,
      busy_s: 0.5,
    },
    { what: 'blanks alone', body: filled('', ' ', ''), answer: /holds more than 4300 blanks in a row/ },
  ]
  for (const { what, body, answer, busy_s = BUSY_LIMIT_S } of attacks) {
    it(`holds ${what}: refused, and neither time nor memory is taken from others`, async (t) => {
      const seen = await quietest(busy_s, () => during(box, () => provision(body)))

      t.diagnostic(JSON.stringify({ ...seen, result: seen.result.slice(9, 12) }))
      assert.match(seen.result, /^HTTP\/1\.1 400 /)
      assert.match(seen.result, answer)
      assert.ok(seen.busy_s < busy_s, `the event loop stood still for ${seen.busy_s} s`)
      assert.ok(seen.grown_mib < GROWTH_LIMIT_MIB, `${seen.grown_mib} MiB were taken`)
    })
  }
})

describe('a body of 1 MiB, which any request may have', () => {
  const list = (item: (at: number) => unknown, count: number) =>
    JSON.stringify(Array.from({ length: count }, (_, at) => item(at)))
  const extra = (key: string, value: string, count: number) =>
    `{"driver":"fake-hardware","extra":{${Array.from({ length: count }, (_, at) => `"${key}${at}":${value}`).join()}}}`
  const attacks: readonly { what: string; method: string; path: string; body: string; status: number }[] = [
    {
      ...{ what: 'a patch of 10,000 operations', method: 'PATCH', path: '/v1/nodes/n1', status: 400 },
      body: list((at) => ({ op: 'add', path: `/extra/a${at}`, value: at }), 10_000),
    },
    {
      ...{ what: 'a patch of as many operations as may be', method: 'PATCH', path: '/v1/nodes/n1', status: 200 },
      body: list((at) => ({ op: 'add', path: `/extra/a${at}`, value: at }), 1_000),
    },
    {
      ...{ what: 'a patch with a path of half a million steps', method: 'PATCH', path: '/v1/nodes/n1', status: 400 },
      body: JSON.stringify([{ op: 'add', path: `/extra${'/a'.repeat(500_000)}`, value: 1 }]),
    },
    {
      ...{
        what: 'a patch that shifts a long list again and again',
        method: 'PATCH',
        path: '/v1/nodes/n1',
        status: 200,
      },
      body: list(
        (at) => ({ op: 'add', path: at ? '/extra/l/0' : '/extra/l', value: at ? 1 : Array(4_000).fill(1) }),
        800,
      ),
    },
    {
      ...{ what: 'keys that no node has', method: 'POST', path: '/v1/nodes', status: 400 },
      body: `{${Array.from({ length: 4_500 }, (_, at) => `"k${at}":1`).join()}}`,
    },
    {
      ...{ what: 'as many keys as may be, with numbers to keep exact', method: 'POST', path: '/v1/nodes', status: 201 },
      body: extra('k', '1.0', 4_500),
    },
    {
      ...{ what: 'more keys than that', method: 'POST', path: '/v1/nodes', status: 400 },
      body: extra('k', '1.0', 80_000),
    },
  ]
  for (const { what, method, path, body, status } of attacks) {
    it(`holds ${what}: answered ${status}, and others are served`, async (t) => {
      const seen = await quietest(BUSY_LIMIT_S, () => during(box, () => ask(method, path, body)))

      t.diagnostic(JSON.stringify({ ...seen, result: seen.result.text.slice(0, 100) }))
      assert.equal(seen.result.status, status, seen.result.text.slice(0, 300))
      assert.ok(seen.busy_s < BUSY_LIMIT_S, `the event loop stood still for ${seen.busy_s} s`)
      assert.ok(seen.grown_mib < GROWTH_LIMIT_MIB, `${seen.grown_mib} MiB were taken`)
    })
  }
})
