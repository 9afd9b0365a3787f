/** The one reader of pull secrets: what it finds for an image, in every form that people bring. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inAuthFile, readPullSecret } from '../../../registry-mirror/index.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')
const entry = (text: string) => ({ auth: base64(text) })
const userOf = (found: ReturnType<typeof inAuthFile>) =>
  found && ('credentials' in found ? `${found.credentials.username}:${found.credentials.password}` : found.problem)

describe('an auth file', () => {
  for (const [key, reference] of [
    ['quay.io', 'quay.io/org/app:v1'],
    ['https://quay.io', 'quay.io/org/app:v1'],
    ['https://quay.io/', 'quay.io/org/app:v1'],
    ['https://quay.io/v2/', 'quay.io/org/app:v1'],
    ['quay.io/org', 'quay.io/org/app:v1'],
    ['quay.io/org/app', `quay.io/org/app@sha256:${'a'.repeat(64)}`],
    ['Quay.io', 'quay.io/org/app:v1'],
    ['http://box.example:5000', 'box.example:5000/app:v1'],
    ['https://index.docker.io/v1/', 'docker.io/org/app:v1'],
    ['index.docker.io', 'docker.io/org/app:v1'],
    ['docker.io', 'registry-1.docker.io/org/app:v1'],
    ['docker.io/library', 'docker.io/debian:12'],
  ] as const)
    it(`has under ${key} the credentials of ${reference}`, () => {
      assert.equal(userOf(inAuthFile(JSON.stringify({ auths: { [key]: entry('me:a:b') } }), reference)), 'me:a:b')
    })

  it('gives the most particular entry, and none of a neighbour', () => {
    const auths = {
      'quay.io': entry('host:x'),
      'quay.io/org': entry('org:x'),
      'quay.io/org/app': entry('app:x'),
      'quay.io/organic': entry('organic:x'),
    }
    const of = (reference: string) => userOf(inAuthFile({ auths }, reference))

    assert.deepEqual(
      [
        'quay.io/org/app:v1',
        'quay.io/org/app/inner:v1',
        'quay.io/org/apple:v1',
        'quay.io/or:v1',
        'quay.io:443/org/app',
      ].map(of),
      ['app:x', 'app:x', 'org:x', 'host:x', undefined],
    )
  })

  it('counts what is written plainly before an address that means the same', () => {
    const auths = { 'https://quay.io/v2/': entry('address:x'), 'quay.io': entry('plain:x') }

    assert.equal(userOf(inAuthFile({ auths }, 'quay.io/a:1')), 'plain:x')
  })

  const auths = { 'quay.io': entry('me:secret') }
  const text = JSON.stringify({ auths })
  for (const [form, file] of [
    ['username and password apart', { auths: { 'quay.io': { username: 'me', password: 'secret' } } }],
    [
      'a Kubernetes secret',
      { kind: 'Secret', type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': base64(text) } },
    ],
    ['the stringData of one', { kind: 'Secret', stringData: { '.dockerconfigjson': text } }],
    ['the data of one', { '.dockerconfigjson': base64(text) }],
    ['what kubectl shows of one', base64(text)],
    ['base64 in lines', base64(text).replace(/(.{20})/g, '$1\n')],
    ['the older file without auths', JSON.stringify(auths)],
    ['the older Kubernetes secret', { data: { '.dockercfg': base64(JSON.stringify(auths)) } }],
  ] as const)
    it(`may come as ${form}`, () => {
      assert.equal(userOf(inAuthFile(file, 'quay.io/org/app:v1')), 'me:secret')
    })

  for (const [what, file, problem] of [
    ['text', 'hunter2', 'it is not JSON'],
    ['a list', '[]', 'it has no object "auths"'],
    ['without auths', '{"hunter2":1}', 'it has no object "auths"'],
    [
      'a secret of nothing',
      { data: { '.dockerconfigjson': base64('hunter2') } },
      'its .dockerconfigjson holds no object "auths"',
    ],
    [
      'without a colon',
      { auths: { 'quay.io': entry('hunter2') } },
      'its entry for quay.io has an auth that is no base64 of USER:PASSWORD',
    ],
    [
      'not encoded',
      { auths: { 'quay.io': { auth: 'me:hunter2' } } },
      'its entry for quay.io has an auth that is no base64 of USER:PASSWORD',
    ],
    ['no table', { auths: { 'quay.io': 'hunter2' } }, 'its entry for quay.io is no object'],
    [
      'an identity token alone',
      { auths: { 'quay.io': { auth: base64('me:'), identitytoken: 'hunter2' } } },
      'its entry for quay.io has an identity token alone, by which nothing is pulled here. Log in with an access token as the password',
    ],
  ] as const)
    it(`that is ${what} is told of, without what stands in it`, () => {
      assert.deepEqual(inAuthFile(file, 'quay.io/org/app:v1'), { problem })
    })
})

describe('what is set for one image', () => {
  it('may be all that an auth file may be, base64 of user and password, or both plainly', () => {
    const auths = { 'https://index.docker.io/v1/': entry('me:secret') }
    const file = JSON.stringify({ auths })

    for (const form of [
      'me:secret',
      base64('me:secret'),
      ` ${base64('me:secret')}\n`,
      file,
      { auths },
      base64(file),
      { data: { '.dockerconfigjson': base64(file) } },
    ])
      assert.equal(userOf(readPullSecret(form, 'docker.io/library/debian:12')), 'me:secret', JSON.stringify(form))
  })
})
