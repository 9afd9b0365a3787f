/** Lists of tags, referrers and repositories, and what the registry says to requests that mean nothing. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import {
  descriptor,
  errorOf,
  IMAGE,
  INDEX,
  imageIn,
  type Json,
  pushManifest,
  sha256,
  suiteRegistry,
} from './registry.ts'

const digestsIn = (list: Json | undefined) => (list?.manifests as Json[] | undefined)?.map(({ digest }) => digest) ?? []

describe('the list of tags', () => {
  const registry = suiteRegistry()
  before(async () => {
    const text = await imageIn(registry, 'org/app')
    for (const reference of ['b', 'a', 'B', 'c', '10', '9'])
      await pushManifest(registry, { name: 'org/app', reference }, text)
  })
  const list = async (query = '') => {
    const { status, json, headers } = await registry.ask('GET', `/v2/org/app/tags/list${query}`)
    return [status, json?.tags, headers.link]
  }

  it('has all tags in the order of their bytes', async () => {
    assert.deepEqual((await registry.ask('GET', '/v2/org/app/tags/list')).json, {
      name: 'org/app',
      tags: ['10', '9', 'B', 'a', 'b', 'c'],
    })
  })

  it('comes page by page', async () => {
    assert.deepEqual(await list('?n=4'), [200, ['10', '9', 'B', 'a'], '</v2/org/app/tags/list?n=4&last=a>; rel="next"'])
    assert.deepEqual(await list('?n=4&last=a'), [200, ['b', 'c'], undefined])
    assert.deepEqual(await list('?n=6'), [200, ['10', '9', 'B', 'a', 'b', 'c'], undefined])
    assert.deepEqual(await list('?last=b'), [200, ['c'], undefined])
    assert.deepEqual(await list('?last=never-there'), [200, [], undefined])
    assert.deepEqual(await list('?n=0'), [200, [], undefined])
  })

  it('is refused for a number that is none', async () => {
    assert.deepEqual(errorOf(await registry.ask('GET', '/v2/org/app/tags/list?n=-1')), [
      400,
      'UNSUPPORTED',
      "n is '-1': expected a number.",
    ])
  })

  it('is none for a repository that is not there', async () => {
    for (const name of ['org/nothing', 'org'])
      assert.deepEqual(errorOf(await registry.ask('GET', `/v2/${name}/tags/list`)), [
        404,
        'NAME_UNKNOWN',
        `There is no repository ${name}.`,
      ])
  })

  it('does not tell the tags of repositories inside a repository', async () => {
    const text = await imageIn(registry, 'org/app/inner/manifests')
    await pushManifest(registry, { name: 'org/app/inner/manifests', reference: 'deep' }, text)

    assert.equal((await registry.ask('GET', '/v2/org/app/inner/manifests/manifests/deep')).status, 200)
    assert.deepEqual((await list())[1], ['10', '9', 'B', 'a', 'b', 'c'])
    assert.deepEqual((await registry.ask('GET', '/v2/_catalog')).json, {
      repositories: ['org/app', 'org/app/inner/manifests'],
    })
  })
})

describe('the list of referrers', () => {
  const registry = suiteRegistry()
  let subject: Json
  const SBOM = 'application/vnd.example.sbom'
  before(async () => {
    const text = await imageIn(registry, 'app')
    subject = descriptor(IMAGE, text)
    await pushManifest(registry, { name: 'app', reference: 'latest' }, text)
  })
  const list = (query = '', digest = subject.digest) => registry.ask('GET', `/v2/app/referrers/${digest}${query}`)
  const refer = async (more: Json, type = IMAGE) => {
    const text = await imageIn(registry, 'app', { subject, ...more })
    return { text, answer: await pushManifest(registry, { name: 'app', reference: sha256(text), type }, text) }
  }

  it('is an empty index when nothing refers to it, wherever that is', async () => {
    const { status, headers, json } = await list('', sha256('nobody'))

    assert.deepEqual([status, headers['content-type']], [200, INDEX])
    assert.deepEqual(json, { schemaVersion: 2, mediaType: INDEX, manifests: [] })
    assert.equal((await registry.ask('GET', `/v2/not/there/referrers/${sha256('x')}`)).status, 200)
  })

  it('has what each one is: its artifactType, or the type of its config, and its annotations', async () => {
    const sbom = await refer({ artifactType: SBOM, annotations: { made: 'today' } })
    const signature = await refer({})
    const indexText = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [], subject })
    const index = await pushManifest(registry, { name: 'app', reference: sha256(indexText), type: INDEX }, indexText)

    const { json } = await list()

    for (const { headers } of [sbom.answer, signature.answer, index])
      assert.equal(headers['oci-subject'], subject.digest)
    const expected = [
      { ...descriptor(IMAGE, sbom.text), artifactType: SBOM, annotations: { made: 'today' } },
      { ...descriptor(IMAGE, signature.text), artifactType: 'application/vnd.oci.image.config.v1+json' },
      descriptor(INDEX, indexText),
    ].sort((a, b) => (a.digest < b.digest ? -1 : 1))
    assert.deepEqual(json?.manifests, expected)

    const filtered = await list(`?artifactType=${SBOM}`)
    assert.equal(filtered.headers['oci-filters-applied'], 'artifactType')
    assert.deepEqual(
      filtered.json?.manifests,
      expected.filter((one) => 'artifactType' in one && one.artifactType === SBOM),
    )
  })

  it('forgets one that is deleted', async () => {
    const { text } = await refer({ artifactType: 'application/vnd.example.doomed' })
    const query = '?artifactType=application/vnd.example.doomed'
    assert.deepEqual(digestsIn((await list(query)).json), [sha256(text)])

    await registry.ask('DELETE', `/v2/app/manifests/${sha256(text)}`)

    assert.deepEqual((await list(query)).json?.manifests, [])
  })

  it('has what came before its subject, and what an older client lists under the fallback tag', async () => {
    const late = await imageIn(registry, 'app')
    const early = await imageIn(registry, 'app', { subject: descriptor(IMAGE, late) })
    const listed = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [descriptor(IMAGE, early)] })
    const fallback = sha256(late).replace(':', '-')
    await pushManifest(registry, { name: 'app', reference: sha256(early) }, early)
    await pushManifest(registry, { name: 'app', reference: fallback, type: INDEX }, listed)
    await pushManifest(registry, { name: 'app', reference: 'late' }, late)

    const { json } = await list('', sha256(late))

    assert.deepEqual(digestsIn(json), [sha256(early)])
    assert.equal((await registry.ask('GET', `/v2/app/manifests/${fallback}`)).body.toString(), listed)
  })

  it('comes in pages when it would be larger than a manifest may be', async () => {
    const target = descriptor(IMAGE, 'much referred to')
    const digests: string[] = []
    for (let count = 0; count < 4; count++) {
      const text = await imageIn(registry, 'app', { subject: target, annotations: { text: 'x'.repeat(1_200_000) } })
      await pushManifest(registry, { name: 'app', reference: sha256(text) }, text)
      digests.push(sha256(text))
    }

    const first = await list('', target.digest)
    const [, next = ''] = /^<(.+)>; rel="next"$/.exec(String(first.headers.link)) ?? []
    const second = await registry.ask('GET', next)

    const found = [first, second].map(({ json }) => digestsIn(json))
    assert.deepEqual(
      found.map(({ length }) => length),
      [2, 2],
    )
    assert.deepEqual(found.flat(), digests.sort())
    assert.equal(second.headers.link, undefined)
  })

  it('is refused for a digest that is none', async () => {
    assert.equal(errorOf(await list('', 'sha256:abc'))[1], 'DIGEST_INVALID')
  })
})

describe('the registry', () => {
  const registry = suiteRegistry()

  it('says at /v2/ that it is one', async () => {
    const { status, headers, body } = await registry.ask('GET', '/v2/')

    assert.deepEqual([status, headers['docker-distribution-api-version'], body.toString()], [200, 'registry/2.0', '{}'])
  })

  for (const path of ['/', '/v1/', '/v2/app/unknown/x', '/v2x/'])
    it(`has nothing at ${path}`, async () => {
      assert.equal((await registry.ask('GET', path)).status, 404)
    })

  for (const name of [
    'Org/app',
    'org//app',
    '-app',
    'app_',
    '_blobs',
    'a/_tags',
    '..',
    '../../etc',
    'a/%2e%2e/b',
    'x'.repeat(256),
  ])
    it(`knows that '${name.slice(0, 20)}' cannot name a repository`, async () => {
      for (const [method, path] of [
        ['GET', `/v2/${name}/tags/list`],
        ['POST', `/v2/${name}/blobs/uploads/`],
        ['GET', `/v2/${name}/manifests/latest`],
      ] as const) {
        const [status, code] = errorOf(await registry.ask(method, path))
        assert.deepEqual([status, code], [400, 'NAME_INVALID'])
      }
    })

  it('tells which methods an endpoint knows', async () => {
    const refused = await registry.ask('POST', '/v2/app/manifests/latest')

    assert.deepEqual(errorOf(refused), [405, 'UNSUPPORTED', 'POST is not done here; GET, HEAD, PUT, DELETE are.'])
    assert.equal(refused.headers.allow, 'GET, HEAD, PUT, DELETE')
  })

  it('refuses a path that is escaped wrongly', async () => {
    assert.equal((await registry.ask('GET', '/v2/app/manifests/%zz')).status, 400)
  })

  it('understands digests with an escaped colon', async () => {
    const text = await imageIn(registry, 'app')
    await pushManifest(registry, { name: 'app', reference: 'latest' }, text)

    assert.equal((await registry.ask('GET', `/v2/app/manifests/${sha256(text).replace(':', '%3A')}`)).status, 200)
  })
})
