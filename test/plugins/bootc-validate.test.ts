/** What validate tells of a node that bootc is to deploy, before its machine is powered on. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NODE_UUID, type TaskSetting } from '../../appliance/plugin-testing/task-on-paper.ts'
import plugin from '../../plugins/bootc/index.ts'
import { named, nodeWith, paperFor, SECRET } from './bootc-rig.ts'

const refuses = (setting: TaskSetting, message: string) =>
  assert.rejects(plugin.validate(paperFor(setting).bootc), { message })
const accepts = async (setting: TaskSetting) => {
  const paper = paperFor(setting)
  await plugin.validate(paper.bootc)
  return paper.calls
}

describe('validate of bootc', () => {
  it('asks the registry of the image, and touches nothing', async () => {
    const calls = await accepts(nodeWith())

    assert.deepEqual(
      calls.map(({ name }) => name),
      ['disk.validate', 'registry.inspect', 'guest.has'],
    )
  })

  it("tells of an image that is missing, in Ironic's words", async () => {
    await refuses(
      { node: {} },
      `Node ${NODE_UUID} failed to validate deploy image info. Some parameters were missing. Missing are: ['instance_info.image_source']`,
    )
  })

  it('tells of an image that is none', async () => {
    await refuses(
      nodeWith({ image_source: 'http://images.example/debian.raw' }),
      'Invalid image href "http://images.example/debian.raw". The deploy interface bootc takes a bootable container: oci://HOST/PATH:TAG or oci://HOST/PATH@DIGEST.',
    )
  })

  it('tells what the registry says: unreachable, unknown, refused, wrong architecture', async () => {
    const containerProblem = 'Image quay.example/org/app:v1 has nothing for linux/arm64: it has linux/amd64.'

    await refuses({ ...nodeWith({}, { properties: { cpu_arch: 'aarch64' } }), containerProblem }, containerProblem)
  })

  it('tells of an image that is not bootable, by either label', async () => {
    await accepts({ ...nodeWith(), container: { labels: { 'ostree.bootable': '' } } })
    await refuses(
      { ...nodeWith(), container: { labels: { 'org.example': '1' } } },
      `Image quay.example/org/app:v1 of node ${NODE_UUID} is not bootable: it has no label containers.bootc or ostree.bootable. Take an image that bootc can install.`,
    )
  })

  it('tells of a processor that no image is for', async () => {
    await refuses(
      nodeWith({}, { properties: { cpu_arch: 'constructor' } }),
      `properties/cpu_arch of node ${NODE_UUID} is "constructor": expected one of x86_64, amd64, aarch64, arm64, ppc64le, s390x, riscv64.`,
    )
  })

  it('tells of an appliance without registry mirror', async () => {
    await refuses(
      { ...nodeWith(), container: null },
      `Node ${NODE_UUID} cannot be deployed by bootc: its image comes by way of this appliance's registry mirror, and [registry] enabled is false.`,
    )
  })

  it('tells of a disk that is too small, for either way', async () => {
    const properties = { local_gb: 1 }

    await refuses(
      { ...nodeWith({}, { properties }), values: { install: 'machine' } },
      `The disk of node ${NODE_UUID} is too small for quay.example/org/app:v1: its record says 1.0 GiB, and 1.8 GiB are needed to install it (bootc_install is "machine").`,
    )
    await refuses(
      { ...nodeWith({}, { properties: { local_gb: '2' } }), values: { install: 'appliance' } },
      `The disk of node ${NODE_UUID} is too small for quay.example/org/app:v1: its record says 2.0 GiB, and 2.6 GiB are needed to install it (bootc_install is "appliance").`,
    )
  })

  it('knows the disk by a root device hint, too, unless that is a comparison', async () => {
    const asked = (root_device: unknown) => ({ ...nodeWith({ root_device }), values: { install: 'machine' } })

    await accepts(asked({ size: '>= 1' }))
    await accepts(asked({ size: 100 }))
    await refuses(
      asked({ size: '== 1' }),
      `The disk of node ${NODE_UUID} is too small for quay.example/org/app:v1: its record says 1.0 GiB, and 1.8 GiB are needed to install it (bootc_install is "machine").`,
    )
  })

  it('tells of a machine that is too small, for either way', async () => {
    const node = (memory_mb: unknown) => nodeWith({}, { properties: { memory_mb } })

    for (const [install, enough, tooLittle, needed] of [
      ['machine', 1024, '512', 900],
      ['appliance', 512, '256', 384],
    ] as const) {
      await accepts({ ...node(enough), values: { install } })
      await refuses(
        { ...node(tooLittle), values: { install } },
        `Node ${NODE_UUID} has too little memory for the deploy ramdisk and an install of quay.example/org/app:v1: properties/memory_mb says ${tooLittle} MiB, and ${needed} MiB are needed.`,
      )
    }
  })

  it('tells of a way that this appliance or this disk does not have', async () => {
    const appliance = { values: { install: 'appliance' } }

    await refuses(
      { ...nodeWith(), ...appliance, guest: null },
      `bootc_install of node ${NODE_UUID} is "appliance", and this appliance cannot start virtual machines. Set it to "machine" or "auto".`,
    )
    await refuses(
      { ...nodeWith(), ...appliance, layers: ['disk-tools'] },
      `bootc_install of node ${NODE_UUID} is "appliance", and its deploy ramdisk has no layers disk-tools and podman. Set it to "machine" or "auto".`,
    )
    await refuses(
      { ...nodeWith({ bootc_tpm2_luks: true }), ...appliance },
      `bootc_install of node ${NODE_UUID} is "appliance", and bootc_tpm2_luks is set: the key of a disk lies in its own machine's TPM. Set it to "machine" or "auto".`,
    )
  })

  it('tells of keys that are no lines of text, and of what is neither true nor false', async () => {
    await refuses(
      nodeWith({ bootc_authorized_keys: 'ssh-rsa AAAA\u001b[2J' }),
      `instance_info/bootc_authorized_keys of node ${NODE_UUID} is "ssh-rsa AAAA\\u001b[2J": expected public keys as a text, one a line.`,
    )
    await refuses(
      nodeWith({ bootc_tpm2_luks: 'maybe' }),
      `instance_info/bootc_tpm2_luks of node ${NODE_UUID} is "maybe": expected true or false.`,
    )
  })
})

describe('image_pull_secret', () => {
  const asked = async (node: TaskSetting['node']) => {
    const [, o] = named(await accepts({ node }), 'registry.inspect') as [string, { secret?: string }]
    return o.secret
  }
  const { instance_info = {} } = nodeWith().node ?? {}

  it('is that of instance_info, then that of driver_info', async () => {
    const driver_info = { image_pull_secret: 'Ym9iOmhpcw==' }

    assert.equal(await asked({ instance_info: { ...instance_info, image_pull_secret: SECRET }, driver_info }), SECRET)
    assert.equal(await asked({ instance_info, driver_info }), 'Ym9iOmhpcw==')
    assert.equal(await asked({ instance_info }), undefined)
  })

  it("may be base64, user and password, what Ironic splits at its colon, or an auth file's text or object", async () => {
    const file = { auths: { 'quay.example': { auth: SECRET } } }
    const encoded = Buffer.from(JSON.stringify(file)).toString('base64')

    for (const form of [SECRET, 'alice:wonder-land', `any:${SECRET}`, JSON.stringify(file), file, encoded]) {
      const secret = await asked({ instance_info: { ...instance_info, image_pull_secret: form } })
      assert.equal(secret, SECRET, JSON.stringify(form))
    }
  })

  it('in which the entry of the image cannot be used is refused in a sentence, and not told', async () => {
    const file = { auths: { 'quay.example': { auth: 'aHVudGVyMg==', identitytoken: 'hunter2' } } }

    await refuses(
      nodeWith({ image_pull_secret: file }),
      `instance_info/image_pull_secret of node ${NODE_UUID} cannot be used: its entry for quay.example has an identity token alone, by which nothing is pulled here. Log in with an access token as the password.`,
    )
  })

  it('that is none is refused, and not told', async () => {
    const hidden = `instance_info/image_pull_secret of node ${NODE_UUID} is no pull secret: expected base64 of USER:PASSWORD as in a registry's auth file, USER:PASSWORD itself, or the auth file's JSON with an entry for quay.example.`

    for (const form of ['hunter2', { auths: { 'other.example': { auth: SECRET } } }, '{"auths":', 7, ':x', 'a:b\nc']) {
      await refuses(nodeWith({ image_pull_secret: form }), hidden)
    }
  })

  it("is told to the image's registry, and to nobody else", async () => {
    const calls = await accepts(nodeWith({ image_pull_secret: SECRET }))

    const elsewhere = calls.filter(({ name }) => name !== 'registry.inspect')
    assert.ok(!JSON.stringify(elsewhere).includes(SECRET))
  })
})
