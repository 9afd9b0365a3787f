/**
 * The deploy interface ramdisk with the appliance's own conductor and image cache, and a real upstream on loopback.
 * Only the steel is missing.
 */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { after, before, describe, it, type TestContext } from 'node:test'
import type { DeployPlugin, Json } from '../../appliance/plugin-api/index.ts'
import plugin from '../../plugins/ramdisk/index.ts'
import { MAC, startTrial } from '../appliance/conductor/trial.ts'
import { file, type ImageUpstream, startUpstream } from '../appliance/images/image-upstream.ts'
import { digest, fetchPlain, type ImagesInFolder, openImages } from '../appliance/images/images-in-folder.ts'

const PAGE = '<!DOCTYPE html><html><body>404</body></html>'
const HUGE_BYTES = 10 ** 15

describe('a deploy with the interface ramdisk', () => {
  let box: ImagesInFolder
  let upstream: ImageUpstream
  const served = { kernel: 'a kernel', etag: '"1"' }

  before(async () => {
    box = await openImages()
    upstream = await startUpstream({
      '/vmlinuz': (request, response) => file(served.kernel, served.etag)(request, response),
      '/initrd': file('a ramdisk'),
      '/page': file(PAGE),
      '/text.iso': file('this is no ISO'),
      '/huge': (_request, response) => void response.writeHead(200, { 'content-length': HUGE_BYTES }).flushHeaders(),
    })
  })
  after(async () => {
    await box[Symbol.asyncDispose]()
    await upstream[Symbol.asyncDispose]()
  })

  const system = () => ({ kernel: `${upstream.url}/vmlinuz`, ramdisk: `${upstream.url}/initrd` })
  async function startWith(t: TestContext, instance_info: Json, more: Json = {}) {
    const { images } = box
    const trial = await startTrial(t, { plugins: [plugin as unknown as DeployPlugin], images })
    const { uuid } = await trial.createNode({ instance_info, ...more })
    return { trial, uuid, boot: () => trial.conductor.machineBootOf(MAC) }
  }
  const linksOf = (uuid: string) => readdirSync(box.links).filter((name) => name.startsWith(uuid))

  it('is active at once, gives the machine its files, and lets go of them with the undeploy', async (t) => {
    const { trial, uuid, boot } = await startWith(t, system())

    await trial.conductor.provision(uuid, { target: 'active' })
    await trial.untilState(uuid, 'active')
    const given = boot()
    assert.ok(given.kind === 'kernel')
    const files = await Promise.all(
      [given.kernel_url, ...given.ramdisk_urls].map(async (url) => (await fetchPlain(url)).text()),
    )
    const links = linksOf(uuid)
    await trial.conductor.provision(uuid, { target: 'deleted' })
    await trial.untilState(uuid, 'available')

    assert.deepEqual(files, ['a kernel', 'a ramdisk'])
    assert.deepEqual(given.parameters, [
      ['root', '/dev/ram0'],
      ['text', ''],
      ['nofb', ''],
      ['vga', 'normal'],
    ])
    assert.deepEqual([links.length, linksOf(uuid), boot().kind], [2, [], 'disk'])
  })

  it('is made anew by a rebuild, from what the node says and the upstream has then', async (t) => {
    const { trial, uuid, boot } = await startWith(t, system())
    await trial.conductor.provision(uuid, { target: 'active' })
    await trial.untilState(uuid, 'active')

    Object.assign(served, { kernel: 'another kernel', etag: '"2"' })
    const instance_info = { ...system(), ramdisk_kernel_arguments: 'again' }
    await trial.store.nodes.update(uuid, { instance_info })
    await trial.conductor.provision(uuid, { target: 'rebuild' })
    await trial.untilState(uuid, 'active')

    const given = boot()
    assert.ok(given.kind === 'kernel')
    assert.equal(await (await fetchPlain(given.kernel_url)).text(), 'another kernel')
    assert.deepEqual(given.parameters.at(-1), ['again', ''])
    assert.equal(linksOf(uuid).length, 2)
  })

  it('of a protected node is neither undeployed nor made anew', async (t) => {
    const { trial, uuid, boot } = await startWith(t, system())
    await trial.conductor.provision(uuid, { target: 'active' })
    await trial.untilState(uuid, 'active')
    await trial.store.nodes.update(uuid, { protected: true })

    for (const target of ['deleted', 'rebuild'] as const) {
      await assert.rejects(trial.conductor.provision(uuid, { target }), /protected/)
    }

    assert.equal(boot().kind, 'kernel')
  })

  for (const [what, change, message] of [
    [
      'a kernel that is a web page',
      () => ({ kernel: `${upstream.url}/page` }),
      /^Deploy step deploy\.deploy failed: Image http:\S+\/page is a web page by its content, .* Set instance_info\/kernel to the address of the file itself\.$/,
    ],
    [
      'a ramdisk that is not there',
      () => ({ ramdisk: `${upstream.url}/none` }),
      /^Deploy step deploy\.deploy failed: Image http:\S+\/none cannot be fetched: Got HTTP code 404 .* Correct instance_info\/ramdisk, or the server\.$/,
    ],
    [
      'a ramdisk whose checksum is another one',
      () => ({ ramdisk_checksum: digest(Buffer.from('else')) }),
      /^Deploy step deploy\.deploy failed: .*initrd.*checksum/,
    ],
    [
      'an upstream that is down',
      () => ({ kernel: 'http://127.0.0.1:1/vmlinuz' }),
      /^Deploy step deploy\.deploy failed: Image http:\/\/127\.0\.0\.1:1\/vmlinuz cannot be fetched: .*instance_info\/kernel\.$/,
    ],
    [
      'a ramdisk that is too large for the cache',
      () => ({ ramdisk: `${upstream.url}/huge` }),
      new RegExp(`^Deploy step deploy\\.deploy failed: Image http:\\S+/huge .*${HUGE_BYTES} bytes`),
    ],
    [
      'an ISO that is none',
      () => ({ kernel: undefined, ramdisk: undefined, boot_iso: `${upstream.url}/text.iso` }),
      /^Deploy step deploy\.deploy failed: The file that node \S+ is to boot as an ISO is none by its content \(raw\): an ISO 9660 image is expected\.$/,
    ],
  ] as const) {
    it(`fails in one sentence, and leaves nothing, with ${what}`, async (t) => {
      const { trial, uuid, boot } = await startWith(t, { ...system(), ...change() })

      await trial.conductor.provision(uuid, { target: 'active' })
      const { last_error } = await trial.untilState(uuid, 'deploy failed')

      assert.match(last_error ?? '', message)
      assert.deepEqual([linksOf(uuid), boot().kind, trial.store.boots.size], [[], 'disk', 0])
    })
  }

  it('does not begin for a machine that has no port, as nobody would know it', async (t) => {
    const { images } = box
    const trial = await startTrial(t, { plugins: [plugin as unknown as DeployPlugin], images })
    const { uuid } = await trial.createNode({ instance_info: system() }, null)

    await assert.rejects(
      trial.conductor.provision(uuid, { target: 'active' }),
      new RegExp(`Node ${uuid} does not have any port associated with it\\.$`),
    )
  })

  it('does not begin with two systems, or with words that no boot script carries', async (t) => {
    const boot_iso = `${upstream.url}/live.iso`
    const two = await startWith(t, { ...system(), boot_iso })
    const words = await startWith(t, { ...system(), ramdisk_kernel_arguments: 'quiet && shell' })

    await assert.rejects(two.trial.conductor.provision(two.uuid, { target: 'active' }), /it can boot one system only/)
    await assert.rejects(
      words.trial.conductor.provision(words.uuid, { target: 'active' }),
      /Kernel parameters hold a word "\|\|", "&&" or ";", which would end the command in iPXE\. Remove it\.$/,
    )

    const stateOf = ({ trial, uuid }: typeof two) => trial.node(uuid).provision_state
    assert.deepEqual([stateOf(two), stateOf(words)], ['available', 'available'])
  })
})
