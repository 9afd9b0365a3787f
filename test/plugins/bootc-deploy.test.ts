/** Deploys by bootc with a real mirror in front of a real upstream, and an agent without a machine. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { GuestFailure } from '../../appliance/guest/failure.ts'
import type { DeployPlugin, Json } from '../../appliance/plugin-api/index.ts'
import { nodeRegistryOf } from '../../appliance/serve/node-registry.ts'
import plugin from '../../plugins/bootc/index.ts'
import { FakeAgent } from '../appliance/conductor/fake-agent.ts'
import { IMAGE, imagesOnPaper, MAC, startTrial, type Trial, type TrialOptions } from '../appliance/conductor/trial.ts'
import { pushBootable } from '../registry-mirror/node-images/images.ts'
import { type Rig, rig } from '../registry-mirror/upstream/mirror.ts'

const REFERENCE = 'up.example/org/app:v1'
const OTHER_MAC = '52:54:00:12:34:57'
const INI = '[conductor]\nautomated_clean = false\n'
const OFFERS = ['bootc_install', 'bootc_finish', 'write_image'].map((step) => {
  return { interface: 'deploy', step, priority: 0, reboot_requested: false }
})

async function started(t: TestContext, more: TrialOptions = {}) {
  const world = await rig(t)
  const plugins = [plugin as unknown as DeployPlugin]
  const trial = await startTrial(t, { ini: INI, plugins, registry: nodeRegistryOf(world.mirror.images), ...more })
  return { trial, ...world }
}

async function deployed(t: TestContext, trial: Trial, mac: string, instance_info: Json = {}) {
  const agent = new FakeAgent({ mac, offers: OFFERS })
  t.after(() => agent.close())
  const node = await trial.createNode({ instance_info: { image_source: `oci://${REFERENCE}`, ...instance_info } }, mac)
  await trial.conductor.provision(node.uuid, { target: 'active' })
  await trial.untilState(node.uuid, 'wait call-back')
  await agent.boot(trial.conductor)
  return { agent, uuid: node.uuid, node: await trial.untilState(node.uuid, 'active') }
}

const argsOf = (agent: FakeAgent, name: string) => {
  const { step } = agent.params[agent.given.indexOf(name)] as { step: { args: Json } }
  return step.args
}
const isHere = async ({ mirror }: Pick<Rig, 'mirror'>, digest: string) =>
  (await mirror.ask('GET', `/v2/up.example/org/app/manifests/${digest}`)).status === 200

describe('a deploy with the interface bootc', () => {
  it('pulls its image once, and deploys a second machine when the upstream is dead', async (t) => {
    const { trial, mirror, upstream, injector } = await started(t)
    const { digest } = await pushBootable(upstream, { name: 'org/app', tag: 'v1' })

    const first = await deployed(t, trial, MAC)
    injector.fault(/./, { refuses: true })
    const second = await deployed(t, trial, OTHER_MAC)

    assert.ok(await isHere({ mirror }, digest))
    const container_image = { reference: REFERENCE, digest, manifest_digest: digest }
    for (const { agent, node } of [first, second]) {
      assert.deepEqual(agent.given, [
        'get_deploy_steps',
        'bootc_install',
        'bootc_finish',
        'install_bootloader',
        'sync',
        'power_off',
      ])
      const { reference, digest: installed, mirror: from } = argsOf(agent, 'bootc_install')
      assert.deepEqual([reference, installed], [REFERENCE, digest])
      assert.match(String((from as Json).location), /^127\.0\.0\.1:\d+\/up\.example\/org\/app$/)
      assert.deepEqual(node.driver_internal_info.container_image, container_image)
    }
  })

  it('writes what the appliance has installed, and finishes it, when the node asks for that', async (t) => {
    const images = imagesOnPaper()
    const guests = { accelerator: () => 'kvm' as const, has: async () => true, run: async () => ({}) } as const
    const { trial, upstream } = await started(t, { images, guests })
    await pushBootable(upstream, { name: 'org/app', tag: 'v1' })

    const { agent } = await deployed(t, trial, MAC, {
      bootc_install: 'appliance',
      bootc_authorized_keys: 'ssh-rsa A a',
    })

    assert.deepEqual(agent.given, [
      'get_deploy_steps',
      'write_image',
      'bootc_finish',
      'install_bootloader',
      'sync',
      'power_off',
    ])
    assert.deepEqual((argsOf(agent, 'write_image').image_info as Json).urls, [IMAGE.url])
    const files = argsOf(agent, 'bootc_finish').files as { path: string }[]
    assert.deepEqual(
      files.map(({ path }) => path),
      ['/etc/tmpfiles.d/bootc-root-ssh.conf', '/etc/containers/registries.conf.d/50-rackstrap.conf'],
    )
  })

  it('fails in the words of the install on the appliance, before the machine is touched', async (t) => {
    const images = imagesOnPaper({
      async make(_key, { signal, progress }, build) {
        await build('/nowhere/image', signal, progress)
        return IMAGE
      },
    })
    const why = 'bootc of up.example/org/app:v1 ended without an error, but /dev/vda has no partition table.'
    const guests = {
      ...{ accelerator: () => 'tcg' as const, has: async () => true },
      run: () => Promise.reject(new GuestFailure(why)),
    }
    const { trial, upstream } = await started(t, { images, guests })
    await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
    const instance_info = { image_source: `oci://${REFERENCE}`, bootc_install: 'appliance' }
    const { uuid } = await trial.createNode({ instance_info })

    await trial.conductor.provision(uuid, { target: 'active' })
    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.equal(last_error, `Deploy step deploy.deploy failed: ${why}`)
    assert.deepEqual(images.released, [uuid])
    assert.ok(!trial.states().includes('wait call-back'))
  })

  it('takes what the tag means now when the node is rebuilt, and lets go of what it meant before', async (t) => {
    const { trial, mirror, upstream } = await started(t)
    await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
    const { agent, uuid } = await deployed(t, trial, MAC)
    const { digest } = await pushBootable(upstream, { name: 'org/app', tag: 'v1' })

    await trial.conductor.provision(uuid, { target: 'rebuild' })
    await trial.untilState(uuid, 'wait call-back')
    await agent.boot(trial.conductor)
    await trial.until('second deploy', () => trial.deploys.length === 2)
    const { driver_internal_info } = await trial.untilState(uuid, 'active')

    assert.equal((driver_internal_info.container_image as { digest: string }).digest, digest)
    const { json } = await mirror.ask('GET', '/v2/up.example/org/app/tags/list')
    assert.deepEqual(json, { name: 'up.example/org/app', tags: ['v1'] })
  })

  it('is refused at once when the registry has no such image, and the machine stays as it is', async (t) => {
    const { trial } = await started(t)
    const { uuid } = await trial.createNode({ instance_info: { image_source: `oci://${REFERENCE}` } })

    await assert.rejects(trial.conductor.provision(uuid, { target: 'active' }), {
      message:
        `Failed to validate deploy or power info for node ${uuid}. Error: ` +
        'Image up.example/org/app:v1 does not exist: registry up.example knows none.',
    })
    assert.equal(trial.node(uuid).provision_state, 'available')
  })

  it('lets go of its image when the node is torn down', async (t) => {
    const { trial, mirror, upstream } = await started(t)
    await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
    const { uuid } = await deployed(t, trial, MAC)

    await trial.conductor.provision(uuid, { target: 'deleted' })
    await trial.untilState(uuid, 'available')

    assert.equal(await mirror.images.release(`node:${uuid}`), false)
  })
})
