/** What the deploy interface direct refuses of a node, with the whole text that the operator reads. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Json } from '../../appliance/plugin-api/index.ts'
import {
  createTaskOnPaper,
  IMAGE_FIELDS,
  NODE_UUID,
  Refusal,
  type TaskSetting,
} from '../../appliance/plugin-testing/task-on-paper.ts'
import plugin from '../../plugins/direct/index.ts'

async function validate({ node, ...setting }: TaskSetting): Promise<void> {
  const instance_info = { ...IMAGE_FIELDS, ...node?.instance_info }
  const paper = createTaskOnPaper({ options: plugin.options, ...setting, node: { ...node, instance_info } })
  await plugin.validate(paper.task as unknown as Parameters<typeof plugin.validate>[0])
}
const refuses = async (setting: TaskSetting, message: string) =>
  assert.rejects(validate(setting), (error: unknown) => {
    assert.ok(error instanceof Refusal)
    assert.equal(error.message, message)
    return true
  })
const withInstance = (instance_info: Json): TaskSetting => ({ node: { instance_info } })
const withDriver = (driver_info: Json): TaskSetting => ({ node: { driver_info } })

describe('validate of direct', () => {
  it('lets a whole-disk image through', async () => {
    await validate({})
    await validate(withInstance({ image_type: 'whole-disk', kernel: 'file:///k', ramdisk: 'file:///r' }))
  })

  it("tells first what the appliance finds wrong with the image's fields", async () => {
    await refuses(
      { imageProblem: 'Invalid image_type "x", valid are whole-disk.', ...withInstance({ kernel: 'k' }) },
      'Invalid image_type "x", valid are whole-disk.',
    )
  })

  it('sends who asks for a container to the deploy interface for containers', async () => {
    await refuses(
      withInstance({ image_source: 'oci://quay.io/centos-bootc/centos-bootc:stream9' }),
      `instance_info/image_source of node ${NODE_UUID} names a container image: the deploy interface direct writes disk images from http(s) or file addresses. ` +
        `For a bootable container: baremetal node set ${NODE_UUID} --deploy-interface bootc (bootc must be in [DEFAULT] enabled_deploy_interfaces).`,
    )
  })

  for (const [fields, found] of [
    [{ image_type: 'partition' }, 'instance_info/image_type is "partition"'],
    [{ kernel: 'file:///k', ramdisk: 'file:///r' }, 'instance_info/kernel is set'],
    [{ ramdisk: 'file:///r' }, 'instance_info/ramdisk is set'],
  ] as const) {
    it(`refuses a partition image, because ${found}`, async () => {
      await refuses(
        withInstance(fields),
        `Node ${NODE_UUID} asks for a partition image (${found}): the deploy interface direct writes whole-disk images only. ` +
          'Use a whole-disk image, and remove instance_info/kernel and ramdisk or set instance_info/image_type to "whole-disk".',
      )
    })
  }

  it('takes proxies with the scheme http or https, or none', async () => {
    await validate(withDriver({ image_http_proxy: 'https://p.example', image_https_proxy: 'p.example:3128' }))
  })

  it('refuses proxies of another kind', async () => {
    await refuses(
      withDriver({ image_http_proxy: 'socks5://p.example' }),
      'Proxy URL should either have HTTP(S) scheme or no scheme at all: driver_info/image_http_proxy has the scheme "socks5".',
    )
    await refuses(
      withDriver({ image_https_proxy: 3128 }),
      'Proxy URL should either have HTTP(S) scheme or no scheme at all: driver_info/image_https_proxy has a value of type number.',
    )
  })

  it('takes host names, addresses and domains in image_no_proxy', async () => {
    for (const image_no_proxy of ['a.example, .b.example:80,192.0.2.1', '', 'a,,b']) {
      await validate(withDriver({ image_no_proxy }))
    }
  })

  it('refuses an image_no_proxy that is no list of them', async () => {
    for (const image_no_proxy of ['*.example', '.*', '-a.example', 'a b', 5]) {
      await refuses(
        withDriver({ image_no_proxy }),
        'image_no_proxy should be a list of host names, IP addresses or domain names to exclude from proxying, the specified ' +
          `list ${JSON.stringify(image_no_proxy)} is incorrect. To denote a domain name, prefix it with a dot (instead of e.g. '.*').`,
      )
    }
  })
})

describe('[deploy] image_server_auth_strategy in validate of direct', () => {
  const image_server_auth_strategy = 'http_basic'

  it('is taken with a user and a password', async () => {
    await validate({ values: { image_server_auth_strategy, image_server_user: 'u', image_server_password: 'p' } })
  })

  it('is refused without them, and the password is not told', async () => {
    await refuses(
      { values: { image_server_auth_strategy } },
      '[deploy] image_server_auth_strategy is http_basic, and image_server_user and image_server_password are not set. ' +
        'Set them in [deploy], or take noauth.',
    )
    await refuses(
      { values: { image_server_auth_strategy, image_server_password: 'correct-horse' } },
      '[deploy] image_server_auth_strategy is http_basic, and image_server_user is not set. Set it in [deploy], or take noauth.',
    )
  })
})
