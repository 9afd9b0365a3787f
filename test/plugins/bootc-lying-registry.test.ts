/**
 * Deploys by bootc from a registry that lies: what it sends is not what it said. A real mirror in front of a real
 * upstream that is tampered with.
 */
import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { DeployPlugin } from '../../appliance/plugin-api/index.ts'
import { nodeRegistryOf } from '../../appliance/serve/node-registry.ts'
import plugin from '../../plugins/bootc/index.ts'
import { startTrial } from '../appliance/conductor/trial.ts'
import type { LogLine } from '../appliance/records/state-folder.ts'
import { pushBootable } from '../registry-mirror/node-images/images.ts'
import type { FaultInjector } from '../registry-mirror/upstream/fault-injector.ts'
import { rig } from '../registry-mirror/upstream/mirror.ts'

const REFERENCE = 'up.example/org/app:v1'
const INI = '[conductor]\nautomated_clean = false\n'
const LAYER_BYTES = 200_000

async function lyingRegistry(t: TestContext, onLine?: (line: LogLine, injector: FaultInjector) => void) {
  const world = await rig(t)
  const { mirror, upstream, injector } = world
  const registry = nodeRegistryOf(mirror.images)
  const trial = await startTrial(t, {
    ini: INI,
    plugins: [plugin as unknown as DeployPlugin],
    registry,
    onLine: (line) => onLine?.(line, injector),
  })
  const built = await pushBootable(upstream, { name: 'org/app', tag: 'v1' }, { sizes: [LAYER_BYTES] })
  const { uuid } = await trial.createNode({ instance_info: { image_source: `oci://${REFERENCE}` } })
  /** Of all that is kept, the largest file: none is a layer. */
  const largest_bytes = () =>
    Math.max(
      0,
      ...readdirSync(mirror.folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => statSync(join(entry.parentPath, entry.name)).size),
    )
  return { ...world, ...built, trial, uuid, injector, largest_bytes }
}
type World = Awaited<ReturnType<typeof lyingRegistry>>

/** Fails in the deploy's first step: the machine is as it was. */
async function assertFails({ trial, uuid }: World, why: string): Promise<void> {
  await trial.conductor.provision(uuid, { target: 'active' })
  const { last_error, power_state } = await trial.untilState(uuid, 'deploy failed')
  assert.equal(last_error, `Deploy step deploy.deploy failed: ${why}`)
  assert.equal(power_state, 'power off')
  assert.ok(!trial.lines.some(({ message }) => message === 'power changed'))
  assert.ok(!trial.states().includes('wait call-back'))
}

async function assertDeploysOnceHonest({ trial, uuid, injector }: World): Promise<void> {
  injector.heal()
  await trial.conductor.provision(uuid, { target: 'active' })
  await trial.untilState(uuid, 'wait call-back')
}

const CORRUPT_AT = 30

describe('a registry that lies', () => {
  it('about a layer fails the deploy in one sentence before the machine is touched, and nothing of it is kept', async (t) => {
    const world = await lyingRegistry(t)
    const [digest] = world.layerDigests
    world.injector.fault(new RegExp(`^GET .*/blobs/${digest}`), { corrupt_at: CORRUPT_AT })

    await assertFails(
      world,
      `Image ${REFERENCE} cannot be held: Upstream up.example, asked for blob ${digest} of org/app, sends ${LAYER_BYTES} bytes that are not of this digest.`,
    )

    assert.ok(world.largest_bytes() < LAYER_BYTES)
    await assertDeploysOnceHonest(world)
  })

  it('about the manifest behind a digest is refused at once', async (t) => {
    const world = await lyingRegistry(t)
    const { trial, uuid, digest, injector } = world
    injector.fault(/^GET .*\/manifests\//, { corrupt_at: CORRUPT_AT })

    await assert.rejects(trial.conductor.provision(uuid, { target: 'active' }), {
      message: `Failed to validate deploy or power info for node ${uuid}. Error: Image ${REFERENCE} cannot be had: ${notThatManifest(digest)} It is not here either.`,
    })

    assert.equal(trial.node(uuid).provision_state, 'available')
    await assertDeploysOnceHonest(world)
  })

  it('about the digest of its tag is refused at once', async (t) => {
    const { trial, uuid, injector } = await lyingRegistry(t)
    const nowhere = `sha256:${'ab'.repeat(32)}`
    injector.fault(/^(HEAD|GET) .*\/manifests\/v1/, { headers: { 'docker-content-digest': nowhere } })

    await assert.rejects(trial.conductor.provision(uuid, { target: 'active' }), {
      message: `Failed to validate deploy or power info for node ${uuid}. Error: Image ${REFERENCE} cannot be had: registry up.example has no manifest ${nowhere}, which it names itself.`,
    })
  })

  it('only once the deploy has begun fails it before the machine is touched', async (t) => {
    let isHonest = true
    const world = await lyingRegistry(t, ({ message, step }, injector) => {
      if (message !== 'step started' || step !== 'deploy' || !isHonest) return
      isHonest = false
      injector.fault(/^GET .*\/manifests\//, { corrupt_at: CORRUPT_AT })
    })
    const { digest } = world

    await assertFails(world, `Image ${REFERENCE} cannot be held: ${notThatManifest(digest)}`)

    await assertDeploysOnceHonest(world)
  })
})

const notThatManifest = (digest: string) =>
  `Upstream up.example, asked for manifest ${digest} of org/app, sends one that is not of the digest ${digest}.`
