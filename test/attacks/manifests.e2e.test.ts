/** Manifests that are cheap to push and dear to read, pushed to a real box. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { type Box, during, quietest, startBox } from './box.ts'

const IMAGE = 'application/vnd.oci.image.manifest.v1+json'
const INDEX = 'application/vnd.oci.image.index.v1+json'
const LIMIT_BYTES = 4 * 1024 * 1024
/** Of processor time, in which nobody else is served. */
const BUSY_LIMIT_S = 0.1
const GROWTH_LIMIT_MIB = 150

const ends: (() => unknown)[] = []
let box: Box
before(async () => {
  box = await startBox({ after: (end) => ends.unshift(end) }, '[registry]\nenabled = True\nport = 0\n')
  // The first of its kind compiles the code.
  await push(IMAGE, '{"schemaVersion":2}')
})
after(async () => {
  for (const end of ends) await end()
})

async function push(type: string, body: string): Promise<{ status: number; text: string }> {
  const reference = `sha256:${createHash('sha256').update(body).digest('hex')}`
  const address = `${box.registry}/v2/org/app/manifests/${reference}`
  const answer = await fetch(address, { method: 'PUT', headers: { 'content-type': type }, body })
  return { status: answer.status, text: await answer.text() }
}

const list = (count: number, make: (at: number) => string) => Array.from({ length: count }, (_, at) => make(at)).join()
const digest = (at: number) => `sha256:${at.toString(16).padStart(64, '0')}`
const filled = (unit: string) => `{"schemaVersion":2,"x":[${unit.repeat((LIMIT_BYTES - 40) / unit.length)}1]}`
const TOO_MANY = /it holds more than 50000 values/

describe('a manifest of 4 MiB', () => {
  const attacks: readonly { what: string; type?: string; body: string; status: number; answer: RegExp }[] = [
    { what: 'lists in lists', body: filled('['), status: 400, answer: /it is nested deeper than 32 levels/ },
    { what: 'nothing but empty objects', body: filled('{},'), status: 400, answer: TOO_MANY },
    {
      what: 'more annotations than are read',
      body: `{"schemaVersion":2,"annotations":{${list(30_000, (at) => `"${at}k":""`)}}}`,
      status: 400,
      answer: TOO_MANY,
    },
    {
      what: 'as many annotations as are read',
      body: `{"schemaVersion":2,"annotations":{${list(24_000, (at) => `"${at}k":""`)}}}`,
      status: 201,
      answer: /^$/,
    },
    {
      what: '9,000 layers, none of them here',
      body: `{"schemaVersion":2,"layers":[${list(9_000, (at) => `{"digest":"${digest(at)}","size":1}`)}]}`,
      status: 400,
      answer: /MANIFEST_BLOB_UNKNOWN/,
    },
    {
      what: 'an index of 9,000 manifests that nobody has',
      type: INDEX,
      body: `{"schemaVersion":2,"manifests":[${list(9_000, (at) => `{"digest":"${digest(at)}","size":1}`)}]}`,
      status: 201,
      answer: /^$/,
    },
  ]
  for (const { what, type = IMAGE, body, status, answer } of attacks) {
    it(`stands nothing still by ${what}`, async (t) => {
      const seen = await quietest(BUSY_LIMIT_S, () => during(box, () => push(type, body)))

      t.diagnostic(JSON.stringify({ ...seen, result: seen.result.status }))
      assert.equal(seen.result.status, status, seen.result.text.slice(0, 300))
      assert.match(seen.result.text, answer)
      assert.ok(seen.busy_s < BUSY_LIMIT_S, `the event loop stood still for ${seen.busy_s} s`)
      assert.ok(seen.grown_mib < GROWTH_LIMIT_MIB, `${seen.grown_mib} MiB were taken`)
    })
  }
})
