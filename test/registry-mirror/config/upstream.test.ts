/** Sections [upstream:NAME]: what an operator may write there, and what is said of what cannot be. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Options } from '../../../appliance/plugin-api/index.ts'
import { readUpstream, upstreamOptions } from '../../../registry-mirror/index.ts'
import { temporaryFolder } from '../registry.ts'

const DEFAULTS = {
  insecure: false,
  tag_ttl: 300,
  allow: [],
  deny: [],
  concurrency: 6,
  bandwidth_limit: 0,
  sync: [],
  sync_platforms: [],
}
const read = (values: Record<string, unknown>, name = 'quay.io') =>
  readUpstream({ name, values: { ...DEFAULTS, ...values } })
const refusalOf = (values: Record<string, unknown>, name?: string) => {
  try {
    read(values, name)
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`
  }
  return 'no refusal'
}

describe('an upstream', () => {
  it('is described by options in the shape of the plugin contract', () => {
    const options: Options = upstreamOptions

    assert.ok(Object.values(options).every(({ section }) => section === 'upstream:NAME'))
  })

  it('needs no more than its address', () => {
    const { name, url, credentials, ca } = read({ url: 'https://quay.io/v2' })

    assert.deepEqual([name, url.href, credentials, ca], ['quay.io', 'https://quay.io/', undefined, undefined])
  })

  for (const [values, refusal, name] of [
    [{}, 'url is not set: expected the address of a registry, such as https://quay.io.'],
    [{ url: 'quay.io' }, "url is 'quay.io': expected https://HOST or http://HOST."],
    [{ url: 'ftp://me:secret@quay.io' }, "url is 'ftp://***@quay.io': expected https://HOST or http://HOST."],
    [{ url: 'https://quay.io/org' }, "url is 'https://quay.io/org': expected an address without a path."],
    [{ url: 'https://me:secret@quay.io' }, 'url holds a username or password: set username and password instead.'],
    [{ url: 'http://quay.io' }, 'url is http://quay.io/: plain http is done only with insecure = true.'],
    [{ url: 'https://quay.io', username: 'me' }, 'password is not set: both or neither are needed.'],
    [{ url: 'https://quay.io', password: 'x' }, 'username is not set: both or neither are needed.'],
    [
      { url: 'https://quay.io', username: 'me', password: 'x', pull_secret: '/x' },
      'pull_secret and username are both set: expected one of them.',
    ],
    [
      { url: 'https://quay.io', ca_file: '/nowhere/ca.pem' },
      "ca_file /nowhere/ca.pem cannot be read: ENOENT: no such file or directory, open '/nowhere/ca.pem'.",
    ],
    [
      { url: 'https://quay.io', pull_secret: '/dev/null' },
      'pull_secret /dev/null has no username and password for quay.io under "auths".',
    ],
    [
      { url: 'https://quay.io' },
      'is no name that repositories can begin with: expected lower-case words such as quay.io.',
      'Quay',
    ],
    [
      { url: 'https://quay.io', sync: ['org/app'] },
      "sync has 'org/app': expected REPOSITORY:TAG, such as org/app:v1 or org/app:1.*.",
    ],
    [
      { url: 'https://quay.io', sync: ['../app:v1'] },
      "sync has '../app:v1': expected REPOSITORY:TAG, such as org/app:v1 or org/app:1.*.",
    ],
    [
      { url: 'https://quay.io', sync: ['org/app:v1'], deny: ['org/*'] },
      "sync has 'org/app:v1', which allow and deny do not let be pulled.",
    ],
    [
      { url: 'https://quay.io', sync_platforms: ['amd64'] },
      "sync_platforms: 'amd64' is no platform: expected OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, as linux/amd64.",
    ],
    [
      { url: 'https://quay.io', sync_at: 'daily' },
      "sync_at is 'daily': expected minute, hour, day, month and weekday, such as 0 3 * * * (each day at three).",
    ],
  ] as [Record<string, unknown>, string, string?][])
    it(`is refused as ${JSON.stringify(values)}${name ? ` named ${name}` : ''}`, () => {
      assert.equal(refusalOf(values, name), `RegistryError: [upstream:${name ?? 'quay.io'}] ${refusal}`)
    })

  it('finds its credentials in a pull secret by any of the names of Docker Hub', (t) => {
    const pull_secret = join(temporaryFolder(t), 'auth.json')
    const auth = Buffer.from('me:a:b').toString('base64')
    writeFileSync(pull_secret, JSON.stringify({ auths: { 'https://index.docker.io/v1/': { auth } } }))

    const { credentials } = read({ url: 'https://registry-1.docker.io', pull_secret }, 'docker.io')

    assert.deepEqual(credentials, { username: 'me', password: 'a:b' })
  })
})
