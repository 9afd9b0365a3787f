/**
 * An appliance whose guests are real: real QEMU, the real deploy ramdisk, real podman, a mirror in front of an
 * upstream. Its machines are on paper.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createGuests } from '../../../../appliance/guest/guest.ts'
import { createLog } from '../../../../appliance/log.ts'
import type { DeployPlugin, Json } from '../../../../appliance/plugin-api/index.ts'
import type { Node } from '../../../../appliance/records/kinds/node.ts'
import { nodeRegistryOf } from '../../../../appliance/serve/node-registry.ts'
import bootc from '../../../../plugins/bootc/index.ts'
import { FakeAgent } from '../../../appliance/conductor/fake-agent.ts'
import { startTrial, type Trial } from '../../../appliance/conductor/trial.ts'
import { type ImagesInFolder, openImages } from '../../../appliance/images/images-in-folder.ts'
import { ensureRamdisk } from '../../../rack/ramdisk.ts'
import { REFERENCE, SECRET, secretRig } from '../../../registry-mirror/node-images/secret-rig.ts'
import type { TestRegistry } from '../../../registry-mirror/registry.ts'
import { busyboxOf, pushHostile } from './image.ts'

const INI = '[conductor]\nautomated_clean = false\n'
const OFFERS = ['bootc_install', 'bootc_finish', 'write_image'].map((step) => {
  return { interface: 'deploy', step, priority: 0, reboot_requested: false }
})
const DEADLINE_MS = 900_000
const LOOK_AGAIN_MS = 250
const DEFAULTS = { install: 'appliance', day2: true, guest_memory: 1024, install_timeout: 600 }

export type Box = {
  trial: Trial
  mirror: TestRegistry
  images: ImagesInFolder
  /** Deploys a node from an image whose bootc is this script, by the appliance. */
  deploy(name: string, script: string, mac: string): Promise<string>
  /** Another node, by an image that its machine installs by itself, from its begin to its end. */
  deployOther(t: TestContext, mac: string): Promise<void>
  /** The appliance is up, and has nothing of a guest left: no process, no file, no image. */
  assertNothingLeft(): void
}

/** @param values  of [bootc] */
export async function boxWithGuests(t: TestContext, values: Json = {}): Promise<Box> {
  const { mirror, upstream } = await secretRig(t)
  const { folder } = await ensureRamdisk(AbortSignal.timeout(DEADLINE_MS))
  const images = await openImages()
  t.after(() => images[Symbol.asyncDispose]())
  const port = await mirror.openForPulls()
  const guestFolder = join(images.folder, '../guests')
  const trial = await startTrial(t, {
    ini: INI,
    plugins: [bootc as unknown as DeployPlugin],
    images: images.images,
    registry: nodeRegistryOf(mirror.images),
    guests: createGuests({
      ramdisk_path: folder,
      folder: guestFolder,
      mirror: () => ({ host: '127.0.0.1', port, called_port: mirror.port }),
      log: createLog('info', () => {}),
    }),
    option_values: (name) => (name === 'bootc' ? { ...DEFAULTS, ...values } : {}),
  })
  const busybox = busyboxOf(folder)
  return {
    trial,
    mirror,
    images,
    async deploy(name, script, mac) {
      await pushHostile(upstream, `org/${name}`, { busybox, script })
      const image_source = `oci://up.example/org/${name}:v1`
      const instance_info = { image_source, image_pull_secret: SECRET, bootc_install: 'appliance' }
      const { uuid } = await trial.createNode({ instance_info }, mac)
      await trial.conductor.provision(uuid, { target: 'active' })
      return uuid
    },
    async deployOther(test, mac) {
      const agent = new FakeAgent({ mac, offers: OFFERS })
      test.after(() => agent.close())
      const instance_info = { image_source: `oci://${REFERENCE}`, image_pull_secret: SECRET, bootc_install: 'machine' }
      const { uuid } = await trial.createNode({ instance_info }, mac)
      await trial.conductor.provision(uuid, { target: 'active' })
      await trial.untilState(uuid, 'wait call-back')
      await agent.boot(trial.conductor)
      await trial.untilState(uuid, 'active')
    },
    assertNothingLeft() {
      const machines = spawnSync('pgrep', ['-P', String(process.pid), '-f', 'rackstrap-guest=1'], { encoding: 'utf8' })
      assert.equal(machines.stdout, '')
      assert.deepEqual(readdirSync(guestFolder), [])
      assert.deepEqual(readdirSync(images.cache), [])
    },
  }
}

/** An install is a matter of minutes. */
export async function untilFailed(trial: Trial, uuid: string): Promise<Node> {
  return untilTrue(`end of ${uuid}`, () => {
    const node = trial.node(uuid)
    return node.provision_state === 'deploy failed' && node.reservation === null && node
  })
}

export async function untilTrue<T>(what: string, look: () => T | undefined | false): Promise<T> {
  const deadline = performance.now() + DEADLINE_MS
  for (;;) {
    const found = look()
    if (found) return found
    if (performance.now() > deadline) throw new Error(`${what} did not come`)
    await pause(LOOK_AGAIN_MS)
  }
}
