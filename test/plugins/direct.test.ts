/** The deploy interface direct: conformance, and each form of image_info that an agent gets from it. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Json, ServedImage } from '../../appliance/plugin-api/index.ts'
import { testDeployPlugin } from '../../appliance/plugin-testing/deploy-plugin.ts'
import { BARE_KIT, createKitOnPaper, inOrder } from '../../appliance/plugin-testing/kit-on-paper.ts'
import {
  createTaskOnPaper,
  IMAGE,
  IMAGE_FIELDS,
  NODE_UUID,
  type TaskSetting,
} from '../../appliance/plugin-testing/task-on-paper.ts'
import plugin from '../../plugins/direct/index.ts'
import { parseImageInfo } from '../../pxe/ramdisk/agent/image/image-info.ts'

const SOURCE = 'http://images.example/debian.raw'
const SHA256 = 'a3'.repeat(32)
const nodeWith = (instance_info: Json, more: TaskSetting['node'] = {}): TaskSetting => ({
  node: { ...more, instance_info: { ...IMAGE_FIELDS, ...instance_info } },
})

testDeployPlugin(() => ({
  folder: join(import.meta.dirname, '../../plugins/direct'),
  name: 'direct',
  setting: nodeWith({}),
  refused: { 'a node without image': { node: {} }, 'a partition image': nodeWith({ kernel: 'file:///k' }) },
}))

/** Puts the node on a task as the conductor would, with the plugin's own defaults. */
const paperFor = (setting: TaskSetting) => createTaskOnPaper({ options: plugin.options, ...setting })
const taskOf = (paper: ReturnType<typeof paperFor>) => paper.task as unknown as Parameters<typeof plugin.validate>[0]

describe('deploy interface direct', () => {
  it('puts write_image between the steps that start and end the agent', () => {
    const steps = plugin.deploySteps(createKitOnPaper().kit as unknown as Parameters<typeof plugin.deploySteps>[0])

    assert.deepEqual(inOrder(steps), [
      '100 deploy',
      '80 write_image',
      '60 prepare_instance_boot',
      '40 tear_down_agent',
      '30 switch_to_tenant_network',
      '20 boot_instance',
    ])
  })

  it('has the image fetched while the machine starts', async () => {
    const paper = paperFor(nodeWith({}))

    await plugin.prepare(taskOf(paper))

    assert.deepEqual(paper.calls, [{ name: 'images.prefetch', args: [] }])
  })
})

/** Runs write_image, and @returns what the agent is told to execute. */
async function toldToAgent(setting: TaskSetting): Promise<{ image_info: Json; configdrive: unknown }> {
  const paper = paperFor(setting)
  const steps = plugin.deploySteps(BARE_KIT as unknown as Parameters<typeof plugin.deploySteps>[0])
  assert.equal(steps.length, 1)
  const result = await steps[0]?.run(taskOf(paper), {})
  assert.deepEqual(result, { wait: 'agent-command' })
  const { args } = paper.calls.find(({ name }) => name === 'agent.execute') ?? { args: [] }
  const [executed] = args as [{ interface: string; step: string; args: { image_info: Json; configdrive: unknown } }]
  assert.deepEqual([executed.interface, executed.step], ['deploy', 'write_image'])
  // As it goes over the wire: what is undefined is not there.
  return JSON.parse(JSON.stringify(executed.args))
}
const imageInfo = async (setting: TaskSetting) => (await toldToAgent(setting)).image_info

/** An image that the agent fetches from where it lies. */
const HANDED_ON: Partial<ServedImage> = { url: SOURCE }
const BASE = {
  id: 'debian.raw',
  urls: [IMAGE.url],
  disk_format: 'raw',
  container_format: null,
  stream_raw_images: true,
  os_hash_algo: 'sha256',
  os_hash_value: SHA256,
  node_uuid: NODE_UUID,
  size_bytes: 1_610_612_736,
}

describe('image_info of write_image', () => {
  it('is as Ironic makes it, and tells the size of the image', async () => {
    const told = await toldToAgent(nodeWith({}))

    assert.deepEqual(told, { image_info: BASE, configdrive: null })
  })

  it('names the compressed forms that the appliance offers', async () => {
    const variants = [
      { encoding: 'zstd', size_bytes: 110, checksum: { algorithm: 'sha256', value: 'b'.repeat(64) } } as const,
    ]

    assert.deepEqual(await imageInfo({ ...nodeWith({}), image: { variants } }), { ...BASE, variants })
  })

  it('has md5 as checksum, which is what agents of any age take it for', async () => {
    const info = await imageInfo({
      ...nodeWith({}),
      image: { checksum: { algorithm: 'md5', value: 'c'.repeat(32) } },
    })

    const { os_hash_algo, os_hash_value, ...rest } = BASE
    assert.deepEqual(info, { ...rest, checksum: 'c'.repeat(32) })
  })

  it('has the checksum of what is served, not of what the node names', async () => {
    const fields = {
      image_checksum: 'c'.repeat(32),
      image_os_hash_algo: 'sha512',
      image_os_hash_value: 'd'.repeat(128),
    }

    const info = await imageInfo(nodeWith(fields))

    assert.deepEqual(info, BASE)
  })

  it("has the node's own checksums when nobody looked into the image", async () => {
    const image = { ...HANDED_ON, checksum: undefined, size_bytes: undefined }
    const fields = { image_os_hash_algo: 'sha512', image_os_hash_value: 'd'.repeat(128) }

    const both = await imageInfo({ ...nodeWith(fields), image })
    const one = await imageInfo({ ...nodeWith({ image_os_hash_algo: 'sha512' }), image })

    const { os_hash_algo, os_hash_value, size_bytes, ...rest } = { ...BASE, urls: [SOURCE] }
    assert.deepEqual(both, { ...rest, checksum: SHA256, os_hash_algo: 'sha512', os_hash_value: 'd'.repeat(128) })
    assert.deepEqual(one, { ...rest, checksum: SHA256 })
  })

  it('tells of an image that the agent must not write as it comes', async () => {
    const info = await imageInfo({ ...nodeWith({}), image: { format: 'qcow2', stream: false } })

    assert.deepEqual(info, { ...BASE, disk_format: 'qcow2', stream_raw_images: false })
  })

  it('passes the container format on', async () => {
    assert.deepEqual(await imageInfo(nodeWith({ image_container_format: 'bare' })), {
      ...BASE,
      container_format: 'bare',
    })
  })

  it('takes the name from the path alone, because a query may be secret', async () => {
    const names = ['http://h.example/a/b.raw?sig=secret', 'http://h.example/dir/', 'file:///images/c.qcow2#x']
    const infos = await Promise.all(names.map((image_source) => imageInfo(nodeWith({ image_source }))))

    assert.deepEqual(
      infos.map(({ id }) => id),
      ['b.raw', 'dir', 'c.qcow2'],
    )
  })

  it('comes with the config drive beside it, once', async () => {
    const told = await toldToAgent({ ...nodeWith({}), configDrive: 'H4sIAAAA' })

    assert.deepEqual(told, { image_info: BASE, configdrive: 'H4sIAAAA' })
  })

  it('is understood by our own agent, the compressed forms included', async () => {
    const variants = [
      { encoding: 'zstd', size_bytes: 110, checksum: { algorithm: 'sha256', value: 'b'.repeat(64) } } as const,
    ]

    const understood = parseImageInfo(await imageInfo({ ...nodeWith({}), image: { variants } }), { md5_enabled: false })

    const { id, urls, disk_format, os_hash_algo, os_hash_value, size_bytes } = BASE
    assert.deepEqual(understood, {
      ...{ id, urls, disk_format, os_hash_algo, os_hash_value, size_bytes, variants, has_proxies: false },
      ...{ image_type: undefined, checksum: undefined, authorization: undefined, configdrive: undefined },
    })
  })
})

describe('credentials and proxies in image_info', () => {
  const values = {
    image_server_auth_strategy: 'http_basic',
    image_server_user: 'reader',
    image_server_password: 'correct-horse',
  }
  const permitted = { ...values, image_server_auth_hosts: [new URL(SOURCE).hostname] }
  const proxies = {
    image_http_proxy: 'http://proxy.example:3128',
    image_https_proxy: 'https://proxy.example:3129',
    image_no_proxy: '.example,192.0.2.1:80',
  }
  const protectedNode = nodeWith({ image_request_authorization_secret: 'Bearer t0ken' }, { driver_info: proxies })

  it('go to the server that image_source names', async () => {
    const info = await imageInfo({ ...protectedNode, values: permitted, image: HANDED_ON })

    assert.deepEqual(info, {
      ...BASE,
      urls: [SOURCE],
      ...values,
      image_request_authorization: Buffer.from('Bearer t0ken').toString('base64'),
      proxies: { http: 'http://proxy.example:3128', https: 'https://proxy.example:3129' },
      no_proxy: '.example,192.0.2.1:80',
    })
  })

  it('are those of the box only for hosts that the configuration names', async () => {
    const given = async (more: Json) => {
      const info = await imageInfo({ ...protectedNode, values: { ...values, ...more }, image: HANDED_ON })
      return info.image_server_password !== undefined
    }

    assert.equal(await given({}), false)
    assert.equal(await given({ image_server_auth_hosts: ['other.example', '.es.example'] }), false)
    assert.equal(await given({ image_server_auth_hosts: ['.example'] }), true)
    assert.equal(await given({ image_server_auth_permit_unknown_hosts: true }), true)
    assert.equal(await given({ image_server_auth_hosts: ['b'], image_server_auth_permit_unknown_hosts: true }), false)
  })

  it('stay here when this appliance serves the image', async () => {
    assert.deepEqual(await imageInfo({ ...protectedNode, values }), BASE)
  })

  it('are not sent to where a redirect led', async () => {
    for (const url of ['http://other.example/debian.raw', 'https://images.example/debian.raw']) {
      assert.deepEqual(await imageInfo({ ...protectedNode, values, image: { url } }), { ...BASE, urls: [url] })
    }
  })

  it('leave out what is not set', async () => {
    const driver_info = { image_https_proxy: 'proxy.example:3129' }

    const info = await imageInfo({ ...nodeWith({}, { driver_info }), image: HANDED_ON })

    assert.deepEqual(info, { ...BASE, urls: [SOURCE], proxies: { https: 'proxy.example:3129' } })
  })

  it('do without image_no_proxy when there is no proxy', async () => {
    const driver_info = { image_no_proxy: '.example' }

    assert.deepEqual(await imageInfo({ ...nodeWith({}, { driver_info }), image: HANDED_ON }), {
      ...BASE,
      urls: [SOURCE],
    })
  })
})
