/** A machine keeps what it got for the ticket of its deploy, and pulls on when the deploy is over. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { base64, holdBySecret, secretRig } from '../registry-mirror/node-images/secret-rig.ts'
import type { TestRegistry } from '../registry-mirror/registry.ts'

const MANIFEST = '/v2/up.example/org/app/manifests/v1'
const TOKEN = '/v2/token?service=registry&scope=repository:up.example/org/app:pull'

async function bearerOf(mirror: TestRegistry, ticket: { username: string; password: string } | undefined) {
  const authorization = `Basic ${base64(`${ticket?.username}:${ticket?.password}`)}`
  const { json } = await mirror.ask('GET', TOKEN, { headers: { authorization } })
  return `Bearer ${json?.token}`
}
const statusOf = async (mirror: TestRegistry, authorization: string) =>
  (await mirror.ask('GET', MANIFEST, { headers: { authorization } })).status

describe('bearer token of a ticket', () => {
  it('opens nothing any more when the ticket was revoked', async (t) => {
    const { mirror } = await secretRig(t)
    const image = await holdBySecret(mirror)
    const { ticket } = await mirror.images.access(image, { owner: 'node:1', for: 'deploy' })
    const bearer = await bearerOf(mirror, ticket)

    const during = await statusOf(mirror, bearer)
    await mirror.images.revoke('node:1')
    const after = await statusOf(mirror, bearer)

    assert.deepEqual([during, after], [200, 401])
  })

  it('opens nothing any more when the work is over that the ticket was lent for', async (t) => {
    const { mirror } = await secretRig(t)
    const image = await holdBySecret(mirror)
    const work = new AbortController()
    const { ticket } = await mirror.images.access(image, { owner: 'node:1', until: work.signal })
    const bearer = await bearerOf(mirror, ticket)

    const during = await statusOf(mirror, bearer)
    work.abort()
    const after = await statusOf(mirror, bearer)

    assert.deepEqual([during, after], [200, 401])
  })
})
