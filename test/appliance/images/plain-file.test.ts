/**
 * Files beside an image, such as a kernel: fetched once, verified, served under the node's own name. A real upstream
 * on loopback.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { file, type ImageUpstream, startUpstream } from './image-upstream.ts'
import { digest, fetchPlain, type ImagesInFolder, NODE, OTHER_NODE, openImages } from './images-in-folder.ts'

const KERNEL = Buffer.from('a kernel, or what stands for one')
const field = 'instance_info/kernel'

describe('a file beside an image', () => {
  let box: ImagesInFolder
  let upstream: ImageUpstream
  const other = { content: Buffer.from('one'), etag: '"1"' }

  before(async () => {
    box = await openImages()
    upstream = await startUpstream({
      '/vmlinuz': file(KERNEL),
      '/nameless': (_request, response) => response.end('nothing told'),
      '/changing': (request, response) => file(other.content, other.etag)(request, response),
      '/latin': file(Buffer.from([0x66, 0xfc, 0x72])),
      '/long': file(Buffer.alloc(300_000, 'x')),
      '/page': file('<!DOCTYPE html><html><body>404</body></html>'),
      '/SHA256SUMS': file(`${digest(KERNEL)}  vmlinuz\n`),
    })
  })
  after(async () => {
    await box[Symbol.asyncDispose]()
    await upstream[Symbol.asyncDispose]()
  })
  const ask = (href: string, more: { checksum?: string; node_uuid?: string; as?: string; name?: string } = {}) =>
    box.images.file({ ...box.request({}), href, field, ...more })
  const get = async (url: string) => Buffer.from(await (await fetchPlain(url)).arrayBuffer())
  const countOf = (path: string) => upstream.asked.filter((line) => line === `GET ${path}`).length

  it('is downloaded once for all nodes, verified, and served to each by a name of its own', async () => {
    const checksum = digest(KERNEL)
    const href = `${upstream.url}/vmlinuz`

    const [mine, theirs] = await Promise.all([
      ask(href, { checksum }),
      ask(href, { checksum: `${upstream.url}/SHA256SUMS`, node_uuid: OTHER_NODE }),
    ])

    assert.match(mine.name, new RegExp(`^${NODE}\\.[0-9a-f]{16}$`))
    assert.deepEqual(mine, {
      name: mine.name,
      href,
      field,
      url: `${box.url}/agent_images/${mine.name}`,
      format: 'raw',
      size_bytes: KERNEL.length,
      checksum: { algorithm: 'sha256', value: checksum },
    })
    assert.equal(box.images.fileUrl(mine.name), mine.url)
    assert.deepEqual([await get(mine.url), await get(theirs.url)], [KERNEL, KERNEL])
    assert.equal(countOf('/vmlinuz'), 1)
  })

  it('is served under the end that its address is to have, and under no other', async () => {
    const as = 'LiveOS/squashfs.img'

    const served = await ask(`${upstream.url}/vmlinuz`, { checksum: digest(KERNEL), as })

    assert.equal(served.url, `${box.url}/agent_images/${served.name}/${as}`)
    assert.deepEqual(await get(served.url), KERNEL)
    const base = served.url.slice(0, -as.length)
    const others = ['images/install.img', 'LiveOS/', '.treeinfo', '', 'liveos/squashfs.img']
    const statuses = await Promise.all(others.map(async (end) => (await fetchPlain(base + end)).status))
    assert.deepEqual(statuses, [404, 404, 404, 404, 404])
    for (const odd of ['../x', '/x', 'a b', 'a/b/c/d/e']) {
      await assert.rejects(
        ask(`${upstream.url}/vmlinuz`, { as: odd }),
        /is to be served as .*: a plain name is expected/,
      )
    }
  })

  it('is given as a text when it is one', async () => {
    const text = (href: string) => box.images.text({ ...box.request({}), href, field })
    const url = (path: string) => `${upstream.url}${path}`

    assert.equal(await text(url('/changing')), String(other.content))
    await assert.rejects(text(url('/latin')), { message: `File ${url('/latin')} is no text: it is not UTF-8.` })
    await assert.rejects(text(url('/long')), {
      message: `File ${url('/long')} has 300000 bytes: a text of at most 262144 is expected.`,
    })
  })

  it('is read in pieces, as an ISO is, without a line of the log for each', async () => {
    const { url } = await ask(`${upstream.url}/vmlinuz`, { checksum: digest(KERNEL) })
    const from = box.lines.length

    const pieces = [2, 3].map(async (start) => (await fetch(url, { headers: { range: `bytes=${start}-7` } })).text())

    assert.deepEqual(await Promise.all(pieces), ['kernel', 'ernel'])
    assert.deepEqual(
      box.lines.slice(from).filter(({ level }) => level !== 'debug'),
      [],
    )
  })

  it('may be an ISO with a floppy disk in it, which has an address of its own', async () => {
    const floppy = Buffer.from('a boot sector')
      .toString()
      .padEnd(1440 * 1024, '.')
    mkdirSync(join(box.folder, 'content'))
    writeFileSync(join(box.folder, 'content/floppy.img'), floppy)
    const iso = join(box.folder, 'live.iso')
    const options = ['-quiet', '-o', iso, '-b', 'floppy.img', '-c', 'boot.cat', join(box.folder, 'content')]
    execFileSync('genisoimage', options, { stdio: 'ignore' })
    const [{ name, url }, kernel] = [await ask(`file://${iso}`), await ask(`${upstream.url}/vmlinuz`)]

    const address = box.images.floppyUrl(name)
    const [whole, part, none] = [
      await fetchPlain(address),
      await fetch(address, { headers: { range: 'bytes=2-5' } }),
      await fetchPlain(box.images.floppyUrl(kernel.name)),
    ]

    assert.deepEqual([address, await whole.text(), whole.status], [`${url}.floppy`, floppy, 200])
    assert.deepEqual([await part.text(), part.headers.get('content-range')], ['boot', `bytes 2-5/${floppy.length}`])
    assert.equal(none.status, 404)
    assert.deepEqual(
      (await box.images.bootImages(name)).map(({ firmware, emulates }) => [firmware, emulates]),
      [['bios', 'floppy']],
    )
  })

  it('is fetched anew without a checksum when the upstream has another one, or does not say', async () => {
    const first = await ask(`${upstream.url}/changing`)
    await ask(`${upstream.url}/changing`)
    const fetchedBefore = countOf('/changing')
    Object.assign(other, { content: Buffer.from('two'), etag: '"2"' })
    const second = await ask(`${upstream.url}/changing`)
    await ask(`${upstream.url}/nameless`)
    await ask(`${upstream.url}/nameless`)

    assert.equal(fetchedBefore, 1)
    assert.notEqual(first.name, second.name)
    assert.deepEqual([String(await get(first.url)), String(await get(second.url))], ['one', 'two'])
    assert.equal(countOf('/nameless'), 2)
  })

  it('is taken from an allowed folder', async () => {
    writeFileSync(join(box.folder, 'initrd'), 'cpio')

    const { url } = await ask(`file://${box.folder}/initrd`)

    assert.equal(String(await get(url)), 'cpio')
  })

  it('stays after a restart, and goes with the release of its node, but for what is to stay', async () => {
    const kernel = await ask(`${upstream.url}/vmlinuz`, { checksum: digest(KERNEL) })
    const initrd = await ask(`file://${box.folder}/initrd`)
    await box.restart()
    const afterRestart = await get(kernel.url)

    await box.images.release(NODE, [kernel.name])

    assert.deepEqual(afterRestart, KERNEL)
    assert.deepEqual(await get(kernel.url), KERNEL)
    assert.equal((await fetchPlain(initrd.url)).status, 404)
    await box.images.release(NODE)
    assert.equal((await fetchPlain(kernel.url)).status, 404)
    assert.deepEqual(
      readdirSync(box.links).filter((name) => name.startsWith(NODE)),
      [],
    )
  })

  it('is fetched again under its name when the cache has lost it, and only as what it was', async () => {
    const href = `${upstream.url}/changing`
    Object.assign(other, { content: Buffer.from('deployed'), etag: '"3"' })
    const { name, checksum, url } = await ask(href)
    const wasThere = await box.images.hasFile(name)
    for (const entry of readdirSync(box.cache)) rmSync(join(box.cache, entry), { recursive: true })
    const isThere = await box.images.hasFile(name)
    const again = { name, checksum: `${checksum.algorithm}:${checksum.value}` }

    const second = await ask(href, again)

    assert.deepEqual([wasThere, isThere, await box.images.hasFile(name)], [true, false, true])
    assert.deepEqual([second.name, second.url, String(await get(url))], [name, url, 'deployed'])
    for (const entry of readdirSync(box.cache)) rmSync(join(box.cache, entry), { recursive: true })
    Object.assign(other, { content: Buffer.from('replaced'), etag: '"4"' })
    await assert.rejects(ask(href, again), /checksum/)
  })

  for (const [what, href, more, message] of [
    [
      'is no address',
      () => 'vmlinuz',
      {},
      'Validation of image href vmlinuz failed, reason: it is no address. Set instance_info/kernel to one that begins with http://, https:// or file:///.',
    ],
    [
      'lies in a folder that is not allowed',
      () => 'file:///etc/passwd',
      {},
      'Validation of image href file:///etc/passwd failed, reason: Security: The path /etc is not permitted in file URLs.',
    ],
    [
      'has a checksum that is none',
      () => 'http://images.example/vmlinuz',
      { checksum: 'abc' },
      "The checksum of instance_info/kernel (http://images.example/vmlinuz) is 'abc': expected 32 (md5), 64 (sha256) or 128 (sha512) hex digits, or an http(s) address of a file of checksums. Correct it.",
    ],
  ] as const) {
    it(`is refused before anything is asked for when it ${what}`, async () => {
      const request = { href: href(), field, ...more }

      assert.throws(() => box.images.validateFile(request), { name: 'InvalidParameterValue', message })
      await assert.rejects(box.images.file({ ...box.request({}), ...request }), {
        name: 'InvalidParameterValue',
        message,
      })
    })
  }

  it('is refused in the words of its own field when it is not what it should be', async () => {
    const url = `${upstream.url}/vmlinuz`
    const wrong = 'b7'.repeat(32)

    await assert.rejects(ask(url, { checksum: wrong }), {
      name: 'ImageUnacceptable',
      message: `The supplied image checksum is invalid or does not match: image ${url} (${KERNEL.length} bytes) has another sha256 than ${wrong}. Correct its checksum, or the image.`,
    })
    await assert.rejects(ask(`${upstream.url}/gone`), {
      name: 'ImageUnacceptable',
      message: `Image ${upstream.url}/gone cannot be fetched: Got HTTP code 404 instead of 200 in response to GET request. Correct instance_info/kernel, or the server.`,
    })
    await assert.rejects(ask(`${upstream.url}/page`), {
      name: 'ImageUnacceptable',
      message: `Image ${upstream.url}/page is a web page by its content, not an image: its server sends a page for people (a download page, a sign-in, an error). Set instance_info/kernel to the address of the file itself.`,
    })
  })
})
