/** The deploy interface autodetect: conformance, and nodes of a real conductor that it chooses for. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { DeployPlugin } from '../../appliance/plugin-api/index.ts'
import { testDeployPlugin } from '../../appliance/plugin-testing/deploy-plugin.ts'
import { createTaskOnPaper, type TaskSetting } from '../../appliance/plugin-testing/task-on-paper.ts'
import type { Node } from '../../appliance/records/kinds/node.ts'
import ansible from '../../plugins/ansible/index.ts'
import autodetect from '../../plugins/autodetect/index.ts'
import bootc from '../../plugins/bootc/index.ts'
import direct from '../../plugins/direct/index.ts'
import ramdisk from '../../plugins/ramdisk/index.ts'
import { FakeAgent } from '../appliance/conductor/fake-agent.ts'
import { pluginOf } from '../appliance/conductor/odd-plugin.ts'
import { INSTANCE, MAC, startTrial, type Trial, type TrialOptions } from '../appliance/conductor/trial.ts'

testDeployPlugin(() => ({ folder: join(import.meta.dirname, '../../plugins/autodetect'), name: 'autodetect' }))

const own = (plugin: unknown) => plugin as DeployPlugin
/** Deploys at once what has its own field, and says what was called of it. */
function live(change: Partial<DeployPlugin> = {}): DeployPlugin & { calls: string[] } {
  const calls: string[] = []
  return Object.assign(
    pluginOf({
      name: 'live',
      options: { live_word: { section: 'live', type: 'string', default: 'a word', help: 'A word.' } },
      supports: ({ instance_info }) => instance_info.live === true,
      validate: async ({ options }) => void calls.push(`validate with ${options.live_word}`),
      cleanUp: async () => void calls.push('cleanUp'),
      ...change,
    }),
    { calls },
  )
}

type Given = { plugins?: readonly DeployPlugin[]; among?: readonly string[]; fields?: Partial<Node> } & TrialOptions
async function chosenFor(t: TestContext, given: Given): Promise<{ trial: Trial; uuid: string }> {
  const { plugins = [live(), own(direct)], among = ['live', 'direct'], fields = {}, ...options } = given
  const trial = await startTrial(t, {
    ...options,
    plugins: [own(autodetect), ...plugins],
    option_values: (plugin) => (plugin === 'autodetect' ? { autodetect_deploy_interfaces: among } : {}),
  })
  const { uuid } = await trial.createNode({ instance_info: { live: true }, ...fields })
  return { trial, uuid }
}
const shown = (trial: Trial, uuid: string) => {
  const { interfaces, driver_internal_info } = trial.node(uuid)
  return [interfaces.deploy, driver_internal_info.original_deploy_interface]
}
const DEPLOY = { target: 'active' }

describe('a deploy with the interface autodetect', () => {
  it('is by the first interface that claims the node, which stands in the node from then on', async (t) => {
    const plugin = live()
    const { trial, uuid } = await chosenFor(t, { plugins: [plugin, own(direct)] })

    const before = shown(trial, uuid)
    await trial.conductor.provision(uuid, DEPLOY)
    await trial.untilState(uuid, 'active')

    assert.deepEqual(before, ['autodetect', undefined])
    assert.deepEqual(shown(trial, uuid), ['live', 'autodetect'])
    assert.deepEqual(plugin.calls, ['validate with a word', 'cleanUp'])
    await trial.untilLine('deploy interface chosen', { node: uuid, deploy_interface: 'live', by: 'autodetect' })
  })

  it('is by the last one when nobody claims it, and the log warns where there is an image', async (t) => {
    const { trial, uuid } = await chosenFor(t, {
      plugins: [live(), live({ name: 'other' })],
      among: ['live', 'other'],
      fields: { instance_info: { image_source: 'http://images.example/a.raw' } },
    })

    await trial.conductor.provision(uuid, DEPLOY)
    await trial.untilState(uuid, 'active')

    assert.equal(trial.node(uuid).interfaces.deploy, 'other')
    const { level } = await trial.untilLine(
      'deploy interface chosen that does not claim the node: the last one of the list',
    )
    assert.equal(level, 'warn')
  })

  const ADDRESSES = { 'oci://quay.example/org/app:v1': 'bootc', 'http://images.example/a.raw': 'direct' }
  for (const [image_source, expected] of Object.entries(ADDRESSES))
    it(`of ${image_source} is by ${expected}`, async (t) => {
      const plugins = [own(bootc), own(direct)]
      const { trial, uuid } = await chosenFor(t, { plugins, among: ['bootc', 'direct'] })
      await trial.store.nodes.update(uuid, { instance_info: { ...INSTANCE, image_source } })

      const { deploy } = await trial.conductor.validate(uuid)

      const byBootc =
        /^Node \S+ cannot be deployed by bootc: its image comes by way of this appliance's registry mirror/
      if (expected === 'direct') assert.deepEqual(deploy, { result: true })
      else assert.match(String(deploy?.reason), byBootc)
      assert.deepEqual(shown(trial, uuid), ['autodetect', undefined])
    })

  it('that fails keeps what was chosen, so that it is deployed and torn down by the same', async (t) => {
    const steps: DeployPlugin['deploySteps'] = () => [
      { step: 'only', priority: 80, run: async ({ failure }) => Promise.reject(failure('no luck')) },
    ]
    const { trial, uuid } = await chosenFor(t, { plugins: [live({ deploySteps: steps }), own(direct)] })

    await trial.conductor.provision(uuid, DEPLOY)
    await trial.untilState(uuid, 'deploy failed')

    assert.deepEqual(shown(trial, uuid), ['live', 'autodetect'])
  })

  it('leaves the node as it is when the chosen interface refuses it', async (t) => {
    const refusing = live({ validate: async ({ failure }) => Promise.reject(failure('the moon is full')) })
    const { trial, uuid } = await chosenFor(t, { plugins: [refusing, own(direct)] })

    await assert.rejects(trial.conductor.provision(uuid, DEPLOY), {
      code: 400,
      message: `Failed to validate deploy or power info for node ${uuid}. Error: the moon is full`,
    })

    assert.deepEqual(shown(trial, uuid), ['autodetect', undefined])
  })
})

describe('an instance of the interface autodetect that is taken away', () => {
  async function takenAway(t: TestContext, automated_clean: boolean) {
    const given = await chosenFor(t, { ini: `[conductor]\nautomated_clean = ${automated_clean}\n` })
    const { trial, uuid } = given
    await trial.conductor.provision(uuid, DEPLOY)
    await trial.untilState(uuid, 'active')
    await trial.conductor.provision(uuid, { target: 'deleted' })
    return given
  }

  it('leaves the choice open again at once when machines are not cleaned', async (t) => {
    const { trial, uuid } = await takenAway(t, false)

    await trial.untilState(uuid, 'available')

    assert.deepEqual(shown(trial, uuid), ['autodetect', undefined])
  })

  it('is cleaned by what was chosen, and leaves the choice open then', async (t) => {
    const { trial, uuid } = await takenAway(t, true)
    const agent = new FakeAgent({ mac: MAC })
    t.after(() => agent.close())

    await trial.untilState(uuid, 'clean wait')
    const meanwhile = shown(trial, uuid)
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'available')

    assert.deepEqual(meanwhile, ['live', 'autodetect'])
    assert.deepEqual(shown(trial, uuid), ['autodetect', undefined])
  })

  it('leaves the choice open when its cleaning fails', async (t) => {
    const { trial, uuid } = await takenAway(t, true)

    await trial.untilState(uuid, 'clean wait')
    await trial.conductor.provision(uuid, { target: 'abort' })
    await trial.untilState(uuid, 'clean failed')

    await trial.until('end of the cleaning', () => trial.node(uuid).interfaces.deploy === 'autodetect')
    assert.deepEqual(shown(trial, uuid), ['autodetect', undefined])
  })
})

describe('what autodetect cannot choose', () => {
  const validated = async (t: TestContext, given: Given) => {
    const { trial, uuid } = await chosenFor(t, given)
    const { deploy } = await trial.conductor.validate(uuid)
    return { reason: String(deploy?.reason), uuid }
  }

  it('is an interface that is not loaded', async (t) => {
    const { reason } = await validated(t, { among: ['nosuch', 'direct'] })

    assert.equal(
      reason,
      'The deploy interface "autodetect" may choose "nosuch", which is not loaded here (loaded: autodetect, live, direct). ' +
        'Add it to [DEFAULT] enabled_deploy_interfaces, look into /healthz for why it is not loaded, or take it out of the options of "autodetect".',
    )
  })

  it('is itself', async (t) => {
    const { reason } = await validated(t, { among: ['autodetect'] })

    assert.match(
      reason,
      /^The deploy interface "autodetect" may choose "autodetect", which chooses another one itself\./,
    )
  })

  it('is none at all', async (t) => {
    const { reason } = await validated(t, { among: [] })

    assert.equal(reason, 'The deploy interface "autodetect" has no deploy interface to choose among.')
  })

  it('is an interface that throws, or answers nonsense: its own node alone is told', async (t) => {
    const throwing = live({
      supports() {
        throw new TypeError('x is not a function')
      },
    })
    const thrown = await validated(t, { plugins: [throwing, own(direct)] })
    const odd = await validated(t, { plugins: [live({ supports: () => 'yes' as never }), own(direct)] })

    assert.equal(
      thrown.reason,
      `The deploy interface "live" cannot say whether node ${thrown.uuid} is its own: x is not a function`,
    )
    assert.equal(
      odd.reason,
      `supports of the deploy interface "live" gave "yes" for node ${odd.uuid}: true or false is expected.`,
    )
  })
})

/** @source Ironic supports_deploy of each */
describe('a node', () => {
  const [kernel, live] = ['http://images.example/vmlinuz', { ironic_ramdisk_deploy: 'true' }]
  const NODES: [why: string, fields: TaskSetting['node'], claims: string[]][] = [
    ['without anything', { instance_info: {} }, ['direct']],
    ['with an image', { instance_info: INSTANCE }, ['direct']],
    ['with a container', { instance_info: { image_source: 'oci://quay.example/app' } }, ['bootc', 'direct']],
    ['with a partition image', { instance_info: { ...INSTANCE, kernel, ramdisk: kernel } }, ['direct']],
    ['with a live system', { instance_info: { ...live, kernel, ramdisk: kernel } }, ['ramdisk', 'direct']],
    ['with half a live system', { instance_info: { ...live, kernel } }, ['direct']],
    ['with an ISO', { instance_info: { ...live, boot_iso: 'http://images.example/a.iso' } }, ['ramdisk', 'direct']],
    ['with a playbook', { driver_info: { ansible_deploy_playbook: 'deploy.yaml' } }, ['ansible', 'direct']],
  ]
  for (const [why, fields, claims] of NODES)
    it(`${why} is claimed by ${claims.join(' and ')}`, () => {
      const { node } = createTaskOnPaper(fields ? { node: fields } : {}).task

      const claiming = [ansible, ramdisk, bootc, direct]
        .map(own)
        .filter((plugin) => plugin.supports?.(node) ?? true)
        .map(({ name }) => name)

      assert.deepEqual(claiming, claims)
    })
})
