/** What the box may ask for, and what comes is no image: the error must not be a way to read or to recognise it. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { clientFor, nodeOf } from '../appliance/agent/fake-agent.ts'
import { NODE, openImages } from '../appliance/images/images-in-folder.ts'
import { errorOf, IMAGE, sha256, testRegistry } from '../registry-mirror/registry.ts'
import { HURRIED, upstreamNamed } from '../registry-mirror/upstream/mirror.ts'
import { SECRET, startVictim } from './victim.ts'

const WRONG = 'a3'.repeat(32)
const TOKEN = createHash('sha256').update('a token of an internal service').digest('hex')
const DIGITS = { md5: 32, sha1: 40, sha256: 64, sha512: 128 }
const digests = (text: string) =>
  Object.keys(DIGITS).map((algorithm) => createHash(algorithm).update(text).digest('hex'))

const SHORTEST_QUOTE = 4

/** @param came  of which not even a piece is to be told */
function assertSilent(message: string, came: string): void {
  const pieces = Array.from({ length: came.length - SHORTEST_QUOTE + 1 }, (_, at) =>
    came.slice(at, at + SHORTEST_QUOTE),
  )
  const told = [...pieces, ...digests(came)].filter((text) => message.includes(text))
  assert.deepEqual(told, [], message)
}

const messageOf = (act: Promise<unknown>) =>
  act.then(
    () => assert.fail('it was taken'),
    (error: Error) => error.message,
  )

describe('an error about a page that is no image', () => {
  it('tells neither its content nor its digest, whatever checksum was given', async (t) => {
    const { port } = await startVictim(t)
    await using box = await openImages({ ini: '[agent]\nimage_download_source = local' })
    const url = `http://127.0.0.1:${port}/internal`
    const { signal, progress } = box.request({})
    const file = { node_uuid: NODE, field: 'instance_info/kernel', href: url, signal, progress }

    const messages = [
      ...(await Promise.all(
        Object.entries(DIGITS).map(([image_os_hash_algo, digits]) => {
          const checksum = { image_os_hash_algo, image_os_hash_value: '0'.repeat(digits) }
          return messageOf(box.images.resolve(box.request({ image_source: url, ...checksum })))
        }),
      )),
      await messageOf(box.images.file({ ...file, checksum: WRONG })),
      await messageOf(box.images.resolve(box.request({ image_source: url, image_checksum: url }))),
      await messageOf(box.images.fetchText(new URL(url), 3, signal)),
    ]

    for (const message of messages) assertSilent(message, SECRET)
  })

  it('tells nothing of a page that was given out as a list of checksums', async (t) => {
    const list = await startVictim(t, '127.0.0.1', (_, response) => void response.end(`${TOKEN}\n`))
    const image = await startVictim(t)
    await using box = await openImages({ ini: '[agent]\nimage_download_source = local' })
    const image_source = `http://127.0.0.1:${image.port}/image`
    const image_checksum = `http://127.0.0.1:${list.port}/token`

    const message = await messageOf(box.images.resolve(box.request({ image_source, image_checksum })))

    assertSilent(message, TOKEN)
    assert.match(message, /has another sha256 than the one that http:\/\/\S+\/token tells\. Correct image_checksum/)
  })

  it('of a registry tells neither what came as a manifest or blob, nor its digest', async (t) => {
    const pages: Record<string, string> = {
      json: JSON.stringify({ schemaVersion: SECRET }),
      type: JSON.stringify({ mediaType: SECRET }),
      config: JSON.stringify({ config: { digest: SECRET, size: SECRET } }),
    }
    const { port } = await startVictim(t, '127.0.0.1', ({ url = '' }, response) => {
      response.writeHead(200, { 'content-type': IMAGE }).end(pages[url.split('/').at(-1) ?? ''] ?? SECRET)
    })
    const upstreams = [upstreamNamed('up.example', { url: `http://127.0.0.1:${port}`, tag_ttl: 0 })]
    const mirror = await testRegistry(t, { upstreams }, { patience: HURRIED })
    const digest = sha256('other')

    const paths = ['latest', 'json', 'type', 'config', digest].map((reference) => `manifests/${reference}`)
    for (const path of [...paths, `blobs/${digest}`]) {
      const [status, , message] = errorOf(await mirror.ask('GET', `/v2/up.example/org/app/${path}`))

      assert.equal(status, 502, path)
      assertSilent(String(message), SECRET)
    }
  })

  it('of what is no agent tells nothing of its page', async (t) => {
    const { port } = await startVictim(t)

    const asked = clientFor(t).commands(nodeOf({ url: `http://127.0.0.1:${port}` }), AbortSignal.timeout(10_000))

    assertSilent(await messageOf(asked), SECRET)
  })
})
