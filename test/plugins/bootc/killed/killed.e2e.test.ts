/** kill -9 at each stage of a deploy by bootc: after a new start it goes on from there. One kill hits them all. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Json } from '../../../../appliance/plugin-api/index.ts'
import { FakeAgent } from '../../../appliance/conductor/fake-agent.ts'
import { ConductorProcess } from '../../../appliance/conductor/killed-process.ts'
import { pushBootable } from '../../../registry-mirror/node-images/images.ts'
import { base64 } from '../../../registry-mirror/node-images/secret-rig.ts'
import { suiteRegistry } from '../../../registry-mirror/registry.ts'
import { type FaultInjector, faultInjector } from '../../../registry-mirror/upstream/fault-injector.ts'
import { guardedUpstream } from '../../../registry-mirror/upstream/token-service.ts'

const USER = 'robot:pa55:word'
const PROGRAM = join(import.meta.dirname, 'appliance.ts')
const OFFERS = ['bootc_install', 'bootc_finish', 'write_image'].map((step) => {
  return { interface: 'deploy', step, priority: 0, reboot_requested: false }
})
const INSTALLED = ['get_deploy_steps', 'bootc_install', 'bootc_finish', 'install_bootloader', 'sync', 'power_off']
const WRITTEN = ['get_deploy_steps', 'write_image', 'bootc_finish', 'install_bootloader', 'sync', 'power_off']

type Situation = { uuid: string; agent: FakeAgent; release: () => void }
type Scenario = {
  /** What is under way when the appliance is killed. */
  tells: string
  /** Also the name of its image. */
  place: string
  way: 'machine' | 'appliance'
  /** The step in which the agent works on until it is released. */
  agentIn?: string
  /** In the first life; left out: until the appliance says that it hangs there. */
  reach?(conductor: ConductorProcess, situation: Situation): Promise<unknown>
}

const bootAgent = async (conductor: ConductorProcess, { uuid, agent }: Situation) => {
  await conductor.untilState(uuid, 'wait call-back')
  await agent.boot(conductor)
}
/** And the appliance has written down that it waits for that, after so many waits. */
const untilAgentIn = (step: string, waits: number) => async (conductor: ConductorProcess, situation: Situation) => {
  await bootAgent(conductor, situation)
  await situation.agent.untilGiven(step)
  await conductor.untilWaits(situation.uuid, waits)
}

const SCENARIOS: readonly Scenario[] = [
  { tells: 'its registry is asked what the image is', place: 'inspecting', way: 'machine' },
  {
    tells: 'its image is being pulled',
    place: 'pulling',
    way: 'machine',
    reach: (conductor, { uuid }) => conductor.untilLine('progress', { node: uuid, note: noteOf('pulling') }),
  },
  { tells: 'its image is held', place: 'holding', way: 'appliance' },
  { tells: 'its image is being installed in a guest', place: 'installing', way: 'appliance' },
  { tells: 'what was installed is not in the image cache yet', place: 'caching', way: 'appliance' },
  {
    tells: 'its machine boots',
    place: 'booting',
    way: 'appliance',
    reach: (conductor, { uuid }) => conductor.untilState(uuid, 'wait call-back'),
  },
  {
    tells: 'its machine installs the image',
    place: 'by-machine',
    way: 'machine',
    agentIn: 'bootc_install',
    reach: untilAgentIn('bootc_install', 2),
  },
  {
    tells: 'its machine writes what was installed',
    place: 'writing',
    way: 'appliance',
    agentIn: 'write_image',
    reach: untilAgentIn('write_image', 2),
  },
  {
    tells: 'its machine is being finished',
    place: 'finishing',
    way: 'appliance',
    agentIn: 'bootc_finish',
    reach: untilAgentIn('bootc_finish', 3),
  },
]

const referenceOf = (place: string) => `up.example/org/${place}:v1`
const noteOf = (place: string) => `pulling ${referenceOf(place)} from its registry`

describe('an appliance that is killed while a node is deployed by bootc and', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'rackstrap-killed-'))
  const upstream = suiteRegistry()
  const ends: (() => unknown)[] = []
  let injector: FaultInjector
  let situations: Situation[] = []
  let conductor: ConductorProcess

  const start = (hangs: 'hangs' | 'runs') => ConductorProcess.startProgram(PROGRAM, [folder, hangs, injector.url])
  const create = (mac: string, place: string, way: string) => {
    const secret = { image_pull_secret: base64(USER) }
    return conductor.ask<string>('create', mac, {
      image_source: `oci://${referenceOf(place)}`,
      bootc_install: way,
      ...secret,
    })
  }

  async function reach(scenario: Scenario, index: number): Promise<Situation> {
    const { place, way, agentIn } = scenario
    const mac = `52:54:00:00:00:${index.toString(16).padStart(2, '0')}`
    const { promise: worked, resolve: release } = Promise.withResolvers<void>()
    const agent = new FakeAgent({
      mac,
      offers: OFFERS,
      onStep: async (step) => (step === agentIn ? worked : undefined),
    })
    const uuid = await create(mac, place, way)
    const situation = { uuid, agent, release }
    await conductor.ask('provision', uuid, 'active')
    await (scenario.reach ? scenario.reach(conductor, situation) : conductor.untilLine('hangs', { place }))
    return situation
  }

  before(async () => {
    const test = { after: (end: () => unknown) => void ends.push(end) }
    const guarded = await guardedUpstream(test, () => upstream.port, { scheme: 'bearer', user: USER })
    injector = await faultInjector(test, () => guarded.port)
    for (const { place } of SCENARIOS) await pushBootable(upstream, { name: `org/${place}`, tag: 'v1' })
    injector.fault(/^GET \/v2\/org\/pulling\/blobs\//, { stall_after: 100_000 })
    conductor = await start('hangs')
    situations = await Promise.all(SCENARIOS.map(reach))
    await conductor.kill()
    injector.heal()
    conductor = await start('runs')
  })
  after(async () => {
    await conductor.kill()
    for (const { agent } of situations) await agent.close()
    for (const end of ends.reverse()) await end()
    rmSync(folder, { recursive: true, force: true })
  })

  for (const [index, { tells, place, way, reach: before_kill }] of SCENARIOS.entries())
    it(`${tells} goes on with it`, async () => {
      const situation = situations[index]
      assert.ok(situation)
      const { uuid, agent, release } = situation
      release()
      if (before_kill === undefined || place === 'pulling' || place === 'booting') {
        await conductor.untilNode(uuid, 'wait call-back')
        await agent.boot(conductor)
      }

      const { last_error, power_state, driver_internal_info } = await conductor.untilNode(uuid, 'active')

      assert.deepEqual([last_error, power_state], [null, 'power on'])
      assert.deepEqual(agent.given, way === 'machine' ? INSTALLED : WRITTEN)
      const { reference } = driver_internal_info.container_image as { reference: string }
      assert.equal(reference, referenceOf(place))
    })

  it('has nothing half of it left: no file of an image, no ticket, no secret; each node holds its image, and a new deploy works', async () => {
    const uuid = await create('52:54:00:00:00:ff', 'installing', 'appliance')
    await conductor.ask('provision', uuid, 'active')
    await conductor.untilNode(uuid, 'wait call-back')
    const agent = new FakeAgent({ mac: '52:54:00:00:00:ff', offers: OFFERS })
    await agent.boot(conductor)
    await conductor.untilNode(uuid, 'active').finally(() => agent.close())

    await conductor.kill()

    const state = JSON.parse(readFileSync(join(folder, 'registry/state.json'), 'utf8')) as Json
    assert.deepEqual(state.tickets, {})
    const holds = Object.fromEntries(
      Object.entries(state.holds as Record<string, { repository: string }[]>).map(([owner, all]) => [
        owner,
        all.map(({ repository }) => repository),
      ]),
    )
    assert.deepEqual(holds, {
      ...Object.fromEntries(
        SCENARIOS.map(({ place }, index) => [`node:${situations[index]?.uuid}`, [`up.example/org/${place}`]]),
      ),
      [`node:${uuid}`]: ['up.example/org/installing'],
    })
    const cached = readdirSync(join(folder, 'master_images'))
    assert.equal(cached.length, SCENARIOS.filter(({ way }) => way === 'appliance').length)
    assert.ok(
      cached.every((name) => /^[0-9a-f]{64}$/.test(name)),
      cached.join(', '),
    )
    const texts = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    assert.ok(texts.every((text) => !text.includes(base64(USER)) && !text.includes('pa55:word')))
  })
})
