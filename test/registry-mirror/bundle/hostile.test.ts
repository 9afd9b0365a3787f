/**
 * What a bundle may not be. Whatever comes, nothing of it becomes visible under a tag, and nothing is written
 * outside.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { entriesOf } from '../../../registry-mirror/bundle/format.ts'
import { readBundle } from '../../../registry-mirror/bundle.ts'
import { sha256, temporaryFolder } from '../registry.ts'
import { emptyIndex, importInto, type TarEntry, writeTar } from './bundles.ts'

const BLOB = Buffer.from('content')
const digest = sha256(BLOB)
const blobName = `blobs/sha256/${digest.slice(7)}`
const withBlob = { ...emptyIndex, blobs: [{ digest, size_bytes: BLOB.length, repositories: ['app'] }] }

const indexEntries = (content: string): TarEntry[] => [
  { name: 'rackstrap/bundle.json', content },
  { name: 'rackstrap/bundle.json.sha256', content: `${sha256(content).slice(7)}  bundle.json\n` },
]

/** The index and the two files of the layout, as they should be. */
function headOf(index: object): TarEntry[] {
  const layout = entriesOf(index as never).flatMap((entry) => (entry.kind === 'layout' ? [entry] : []))
  return [...indexEntries(JSON.stringify(index)), ...layout.map(({ name, bytes }) => ({ name, content: bytes }))]
}

/** @returns what importing it is refused with */
async function refusalOf(t: Parameters<typeof temporaryFolder>[0], tar: readonly TarEntry[] | Buffer): Promise<string> {
  const folder = temporaryFolder(t)
  const path = join(folder, 'hostile.tar')
  if (Buffer.isBuffer(tar)) writeFileSync(path, tar)
  else await writeTar(path, tar)
  const files_folder = join(folder, 'files')
  const error = await importInto({ folder: join(folder, 'registry'), port: 0 }, path, { files_folder }).then(
    () => assert.fail('it was taken'),
    (error: Error) => error,
  )
  assert.equal(error.name, 'BundleError', error.stack)
  assert.deepEqual(
    readdirSync(folder)
      .sort()
      .filter((name) => name !== 'files'),
    ['hostile.tar', 'registry'],
  )
  return error.message
}

async function* chunks(bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000)
}

describe('the tar of a bundle', () => {
  const good = headOf(withBlob)
  const names: Record<string, string> = {
    'an absolute name': '/etc/passwd',
    'a name that leads out': '../../etc/passwd',
    'a name that leads out further down': `blobs/../../${'x'.repeat(120)}`,
    'a name that its index does not list there': 'blobs/sha256/other',
    'the name of what came before': 'index.json',
  }
  for (const [what, name] of Object.entries(names))
    it(`is refused for ${what}`, async (t) => {
      const message = await refusalOf(t, [...good, { name, content: BLOB }])

      assert.equal(message, `The bundle holds "${name}" where its index lists ${blobName}.`)
    })

  for (const type of [
    'symlink',
    'link',
    'character-device',
    'block-device',
    'fifo',
    'directory',
    'contiguous-file',
  ] as const)
    it(`is refused for a ${type}, under a name that its index lists`, async (t) => {
      const message = await refusalOf(t, [...good, { name: blobName, type, linkname: '/etc/passwd', content: '' }])

      assert.equal(message, `"${blobName}" in the bundle is a ${type}: expected a file.`)
    })

  it('is refused for anything behind the last thing of its index', async (t) => {
    const twice = await refusalOf(t, [...good, { name: blobName, content: BLOB }, { name: blobName, content: BLOB }])

    assert.equal(twice, `The bundle holds "${blobName}", which its index does not list.`)
  })

  it('is refused for another size than its index says', async (t) => {
    const message = await refusalOf(t, [...good, { name: blobName, content: 'contents' }])

    assert.equal(message, `${blobName} in the bundle has 8 bytes, its index says 7.`)
  })

  it('is refused for content that does not match its digest', async (t) => {
    const message = await refusalOf(t, [...good, { name: blobName, content: 'CONTENT' }])

    assert.equal(message, `${blobName} in the bundle is damaged: its digest is ${sha256('CONTENT')}, not ${digest}.`)
  })

  it('is refused when its end is missing', async (t) => {
    const message = await refusalOf(t, good)

    assert.equal(message, `The bundle is not whole: ${blobName} and what should follow is missing.`)
  })

  it('is refused when it is none', async (t) => {
    const other = await refusalOf(t, [{ name: 'oci-layout', content: '{}' }])
    const garbage = await refusalOf(t, Buffer.alloc(2048, 'garbage'))
    const zipped = await refusalOf(t, gzipSync(Buffer.alloc(2048)))
    const empty = await refusalOf(t, Buffer.alloc(0))

    assert.equal(other, `This is no bundle: it begins with 'oci-layout', not with rackstrap/bundle.json.`)
    assert.match(garbage, /^The bundle is damaged, or no tar at all: Invalid tar header\./)
    assert.match(zipped, /^The bundle is (damaged, or no tar at all|not whole)/)
    assert.equal(empty, 'This is no bundle: it begins with nothing, not with rackstrap/bundle.json.')
  })

  it('is refused wherever it is cut off', async (t) => {
    const path = join(temporaryFolder(t), 'whole.tar')
    await writeTar(path, [...good, { name: blobName, content: BLOB }])
    const whole = readFileSync(path)

    for (let end = 0; end < whole.length - 1024; end += 100) {
      const message = await readBundle(chunks(whole.subarray(0, end)), async ({ entries }) => {
        for await (const _ of entries());
      }).then(
        () => assert.fail(`it was taken with ${end} of ${whole.length} bytes`),
        (error: Error) => `${error.name}: ${error.message}`,
      )

      assert.match(message, /^BundleError: (The bundle is not whole|The bundle is damaged|This is no bundle)/)
    }
  })

  it('is refused when it goes on for ever', async () => {
    async function* endless() {
      for (;;) yield Buffer.alloc(1024 * 1024)
    }

    await assert.rejects(
      readBundle(endless(), async ({ index }) => index),
      { message: 'The bundle is longer than its index says.' },
    )
  })
})

describe('the index of a bundle', () => {
  const big = 5 * 1024 * 1024
  const manifest = {
    digest,
    size_bytes: 7,
    media_type: 'application/vnd.oci.image.manifest.v1+json',
    repositories: ['app'],
  }
  const wrong: [string, object, string][] = [
    [
      'another format',
      { format: 'x' },
      `its format is "x": expected 'rackstrap-bundle/1'. A newer Rackstrap may have made it`,
    ],
    ['no list', { blobs: {} }, 'blobs is {}: expected a list'],
    ['a digest that is none', { blobs: [{ digest: 'sha256:../..' }] }, '"sha256:../.." is no digest'],
    [
      'a size that is none',
      { blobs: [{ ...manifest, size_bytes: -1 }] },
      'size_bytes is -1: expected a number of bytes',
    ],
    [
      'a repository that is none',
      { blobs: [{ ...manifest, repositories: ['../x'] }] },
      '"../x" cannot name a repository',
    ],
    ['no repository', { blobs: [{ ...manifest, repositories: [] }] }, `"${digest}" belongs to no repository`],
    [
      'a large manifest',
      { manifests: [{ ...manifest, size_bytes: big }] },
      `manifest ${digest} has ${big} bytes: expected at most 4194304`,
    ],
    [
      'a manifest of no known type',
      { manifests: [{ ...manifest, media_type: 'x' }] },
      '"x" is the type of no manifest',
    ],
    ['something twice', { blobs: [manifest], manifests: [manifest] }, `it lists ${digest} twice`],
    [
      'an image without its manifest',
      { images: [{ repository: 'app', digest, tags: [] }] },
      `image app@${digest} has no manifest in it`,
    ],
    ['a tag that is none', { images: [{ repository: 'app', digest, tags: ['../x'] }] }, '"../x" is no tag'],
    [
      'a file that leads out',
      { files: [{ ...manifest, name: '../x' }] },
      '"../x" cannot name a file: expected a plain, relative name',
    ],
    [
      'a hidden file',
      { files: [{ ...manifest, name: 'a/.x' }] },
      '"a/.x" cannot name a file: expected a plain, relative name',
    ],
    [
      'a file in a file',
      {
        files: [
          { ...manifest, name: 'a' },
          { ...manifest, name: 'a/b' },
        ],
      },
      'a is a file and a folder',
    ],
  ]
  for (const [what, change, message] of wrong)
    it(`is refused for ${what}`, async (t) => {
      const content = JSON.stringify({ ...emptyIndex, ...change })

      const refusal = await refusalOf(t, indexEntries(content))

      assert.equal(refusal, `The index of the bundle cannot be used: ${message}.`)
    })

  it('is refused when any bit of it has changed', async (t) => {
    const [index, checksum] = indexEntries(JSON.stringify(emptyIndex)) as [TarEntry, TarEntry]
    const other = { ...index, content: String(index.content).replace('2026', '2027') }

    for (const tar of [[other, checksum], [index], [index, { ...checksum, name: 'oci-layout' }]])
      assert.equal(
        await refusalOf(t, tar),
        'The bundle is damaged: its index does not match rackstrap/bundle.json.sha256. Copy it again.',
      )
  })

  it('is refused for more than 200,000 things', async (t) => {
    const blobs = Array.from({ length: 200_001 }, (_, at) => ({
      ...manifest,
      digest: `sha256:${String(at).padStart(64, '0')}`,
    }))

    const refusal = await refusalOf(t, indexEntries(JSON.stringify({ ...emptyIndex, blobs })))

    assert.equal(refusal, 'The index of the bundle cannot be used: it lists 200001 things: expected at most 200000.')
  })

  it('is refused before it is parsed, when parsing would take gigabytes', async (t) => {
    const deep = await refusalOf(t, indexEntries('['.repeat(20 * 1024 * 1024)))
    const many = await refusalOf(t, indexEntries(`[${'{},'.repeat(4_000_000)}{}]`))

    assert.equal(deep, 'The index of the bundle cannot be used: it is nested deeper than 8 levels.')
    assert.equal(many, 'The index of the bundle cannot be used: it holds more than 4000000 values.')
  })

  it('is refused for very many pax records, of which each entry would get a copy', async (t) => {
    const pax = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`k${at}`, 'v']))
    const [index, ...others] = indexEntries(JSON.stringify(emptyIndex)) as [TarEntry, TarEntry]

    assert.equal(
      await refusalOf(t, [{ ...index, pax }, ...others]),
      'An entry of the tar has 1001 pax records: at most 1000 are read.',
    )
  })

  it('is refused for content that the disk has no room for', async (t) => {
    const size_bytes = 2 ** 52
    const refusal = await refusalOf(t, headOf({ ...emptyIndex, blobs: [{ ...manifest, size_bytes }] }))

    assert.match(
      refusal,
      /^The bundle brings 4503599627370496 bytes that are not there yet, and .* has room for \d+\. Nothing of it was taken\.$/,
    )
  })
})
