/** Somebody on the rack's network, or a guest of this box, wants private images that the mirror has credentials for. */
import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { describe, it } from 'node:test'
import { ALICE, BOB, basic, heldIn, NAME, privateRig, withUsers } from '../registry-mirror/access/private-rig.ts'
import {
  askPort,
  errorOf,
  sha256,
  type TestRegistry,
  temporaryFolder,
  testRegistry,
} from '../registry-mirror/registry.ts'
import { type Pushed, upstreamNamed } from '../registry-mirror/upstream/mirror.ts'

/** What he may ask for of an image, by each address that it has. */
const addressesOf = ({ digest, layerDigest }: Pushed) => [
  ...[`manifests/v1`, `manifests/${digest}`, `blobs/${layerDigest}`, 'tags/list', `referrers/${digest}`].flatMap(
    (path) => [`/v2/${NAME}/${path}`, `/v2/org/app/${path}?ns=up.example`],
  ),
]

async function statusesOf(mirror: TestRegistry, pushed: Pushed, headers: Record<string, string> = {}) {
  const statuses = new Set<number>()
  for (const path of addressesOf(pushed))
    for (const method of ['GET', 'HEAD']) statuses.add((await mirror.ask(method, path, { headers })).status)
  return [...statuses]
}

describe('an upstream that the mirror has credentials for', () => {
  it('gives nothing to a neighbour without credentials, and is not even asked', async (t) => {
    const { mirror, pushed, guarded } = await privateRig(t)

    const statuses = await statusesOf(mirror, pushed)

    assert.deepEqual([statuses, guarded.asked], [[403], []])
  })

  it('gives nothing to him of what is here for a node, nor when he asks for what is stored alone', async (t) => {
    const { mirror, pushed } = await privateRig(t)
    await heldIn(mirror)

    const statuses = await statusesOf(mirror, pushed)
    const local = await mirror.ask('GET', `/v2/${NAME}/manifests/v1`, {
      headers: { 'cache-control': 'only-if-cached' },
    })

    assert.deepEqual([...statuses, local.status], [403, 403])
  })

  it('gives nothing for credentials that he made up, a token for nobody in particular, or a ticket that ended', async (t) => {
    const { mirror, pushed } = await privateRig(t, withUsers(t))
    const image = await heldIn(mirror)
    const { ticket } = await mirror.images.access(image, { owner: 'node:1' })
    const byTicket = basic(ticket?.username ?? 'ticket', ticket?.password ?? 'none')
    const { json } = await mirror.ask('GET', `/v2/token?scope=repository:${NAME}:pull`, { headers: byTicket })
    await mirror.images.revoke('node:1')
    const nobody = await mirror.ask('GET', `/v2/token?scope=repository:${NAME}:pull`)

    const tried = [
      byTicket,
      { authorization: `Bearer ${json?.token}` },
      { authorization: `Bearer ${nobody.json?.token}` },
      basic('robot', 'pa55:word'),
      basic('ticket', 'ticket'),
    ]
    const statuses = []
    for (const headers of tried) statuses.push(await statusesOf(mirror, pushed, headers))

    assert.deepEqual(
      statuses,
      tried.map(() => [401]),
    )
  })

  it('is not opened by a rule that was written for all repositories', async (t) => {
    const { mirror, pushed } = await privateRig(t, { access_rules: ['* pull anyone'] })

    const statuses = await statusesOf(mirror, pushed)

    assert.deepEqual(statuses, [403])
  })

  it('gives nothing to a guest, by the socket for pulls, of a registry that only this box reaches', async (t) => {
    const { mirror, pushed } = await privateRig(t, { host_ip: '127.0.0.1' })
    const port = await mirror.openForPulls()

    const statuses = new Set<number>()
    for (const path of addressesOf(pushed)) statuses.add((await askPort(port, 'GET', path)).status)

    assert.deepEqual([...statuses], [403])
  })

  it('lends no blob into a repository that he may push to', async (t) => {
    const { mirror, pushed } = await privateRig(t, { access_rules: ['scratch/* push anyone'] })
    await heldIn(mirror)

    const statuses = []
    for (const from of ['', `&from=${NAME}`]) {
      const path = `/v2/scratch/x/blobs/uploads/?mount=${pushed.layerDigest}${from}`
      statuses.push((await mirror.ask('POST', path)).status)
    }

    // An upload begins instead.
    assert.deepEqual(statuses, [202, 202])
  })

  it('does not show its blobs by their digests in a repository that he may read', async (t) => {
    const { mirror, pushed } = await privateRig(t, { access_rules: ['scratch/* push anyone'] })
    await heldIn(mirror)

    const got = await mirror.ask('GET', `/v2/scratch/x/blobs/${pushed.layerDigest}`)
    const headers = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }
    const named = await mirror.ask('PUT', '/v2/scratch/x/manifests/v1', { headers, body: pushed.manifest })

    assert.deepEqual([errorOf(got)[1], errorOf(named)[1]], ['BLOB_UNKNOWN', 'MANIFEST_BLOB_UNKNOWN'])
  })
})

/** So that the repository is there. */
const pushNothing = (mirror: TestRegistry, name: string, headers: Record<string, string>) =>
  mirror.ask('POST', `/v2/${name}/blobs/uploads/?digest=${sha256('')}`, { headers, body: '' })

describe('the list of repositories', () => {
  const listed = async (mirror: TestRegistry, headers: Record<string, string> = {}) => {
    const { status, json } = await mirror.ask('GET', '/v2/_catalog', { headers })
    return [status, json?.repositories]
  }

  it('does not name what came by credentials of the mirror to who may not pull it', async (t) => {
    const { mirror } = await privateRig(t)
    await heldIn(mirror)

    assert.deepEqual(await listed(mirror), [200, []])
  })

  it('does not name to a user, or to anybody, what rules keep for others', async (t) => {
    const users = withUsers(t)
    const access_rules = ['team/* pull bob', '* push users']
    const mirror = await testRegistry(t, { ...users, access_rules })
    const unknown = await testRegistry(t, { access_rules: ['team/* pull nobody'] })
    for (const [registry, headers] of [
      [mirror, ALICE],
      [unknown, {}],
    ] as const)
      for (const name of ['team/app', 'app']) await pushNothing(registry, name, headers)

    assert.deepEqual(await listed(mirror, ALICE), [200, ['app']])
    assert.deepEqual(await listed(mirror, BOB), [200, ['app', 'team/app']])
    assert.deepEqual(await listed(unknown), [200, ['app']])
  })

  it('names nothing to anybody where anonymous_pull is off', async (t) => {
    const mirror = await testRegistry(t, { ...withUsers(t), anonymous_pull: false })
    await pushNothing(mirror, 'app', ALICE)

    assert.deepEqual(await listed(mirror), [401, undefined])
    assert.deepEqual(await listed(mirror, ALICE), [200, ['app']])
  })

  it('does not name, and no mount gives, what deny of an upstream keeps back', async (t) => {
    const before = await privateRig(t, withUsers(t))
    await heldIn(before.mirror)
    const upstreams = [upstreamNamed('up.example', { url: 'http://127.0.0.1:1', deny: ['org/*'] })]
    const storage_path = temporaryFolder(t)
    cpSync(before.mirror.folder, storage_path, { recursive: true, filter: (path) => !/\.sock$|\/lock$/.test(path) })
    const mirror = await testRegistry(t, { ...withUsers(t), storage_path, upstreams })

    const path = `/v2/own/blobs/uploads/?mount=${before.pushed.layerDigest}&from=${NAME}`
    const mounted = await mirror.ask('POST', path, { headers: ALICE })

    assert.deepEqual([await listed(mirror, ALICE), mounted.status], [[200, []], 202])
  })
})
