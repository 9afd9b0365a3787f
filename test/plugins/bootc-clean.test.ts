/**
 * What comes around a deploy by bootc: it is done again, taken away, cleaned up after, and done once more. A real
 * mirror, an agent without a machine.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DeployPlugin } from '../../appliance/plugin-api/index.ts'
import { nodeRegistryOf } from '../../appliance/serve/node-registry.ts'
import plugin from '../../plugins/bootc/index.ts'
import { FakeAgent } from '../appliance/conductor/fake-agent.ts'
import { MAC, startTrial } from '../appliance/conductor/trial.ts'
import { pushBootable } from '../registry-mirror/node-images/images.ts'
import { rig } from '../registry-mirror/upstream/mirror.ts'

const REFERENCE = 'up.example/org/app:v1'
const instance_info = { image_source: `oci://${REFERENCE}` }
const OFFERS = ['bootc_install', 'bootc_finish', 'write_image'].map((step) => {
  return { interface: 'deploy', step, priority: 0, reboot_requested: false }
})
const DEPLOYED = ['get_deploy_steps', 'bootc_install', 'bootc_finish', 'install_bootloader', 'sync', 'power_off']

describe('a node with the interface bootc', () => {
  it('is rebuilt, undeployed, cleaned without any layer and without its image, and deployed again', async (t) => {
    const { mirror, upstream } = await rig(t)
    await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
    const trial = await startTrial(t, {
      ini: '[conductor]\nautomated_clean = true\n',
      plugins: [plugin as unknown as DeployPlugin],
      registry: nodeRegistryOf(mirror.images),
    })
    const agent = new FakeAgent({ mac: MAC, offers: OFFERS })
    t.after(() => agent.close())
    const { uuid } = await trial.createNode({ instance_info })
    const deploy = async (target: string, times: number) => {
      await trial.conductor.provision(uuid, { target })
      await trial.untilState(uuid, 'wait call-back')
      await agent.boot(trial.conductor)
      await trial.until(`deploy ${times}`, () => trial.deploys.length === times)
      await trial.untilState(uuid, 'active')
    }

    await deploy('active', 1)
    await deploy('rebuild', 2)
    await trial.conductor.provision(uuid, { target: 'deleted' })
    await trial.untilState(uuid, 'clean wait')
    const boot = trial.conductor.machineBootOf(MAC)
    const wasHeld = await mirror.images.release(`node:${uuid}`)
    await agent.boot(trial.conductor)
    const node = await trial.untilState(uuid, 'available')
    await trial.store.nodes.update(uuid, { instance_info })
    await deploy('active', 3)

    assert.deepEqual([boot.kind, boot.kind === 'agent' && boot.layers], ['agent', []])
    assert.equal(wasHeld, false)
    assert.deepEqual(Object.keys(node.driver_internal_info).sort(), ['agent_last_heartbeat', 'agent_version'])
    const cleaned = ['get_clean_steps', 'erase_devices_metadata']
    assert.deepEqual(agent.given, [...DEPLOYED, ...DEPLOYED, ...cleaned, ...DEPLOYED])
  })
})
