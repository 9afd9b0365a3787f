/**
 * A power cut after every single operation on the disk, each in several ways; what was not synced is lost in some of
 * them.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { Json } from '../../../appliance/plugin-api/index.ts'
import { disk } from '../../../appliance/records/storage/disk.ts'
import { recover } from '../../../appliance/records/storage/recover.ts'
import { Secrets } from '../../../appliance/records/storage/secrets.ts'
import type { Store } from '../../../appliance/records/store.ts'
import { PossibleStates, type Version } from './possible-states.ts'
import { POWER_CUTS, SimulatedDisk } from './simulated-disk.ts'
import { openAt, someNode, stateFolder } from './state-folder.ts'

/** What was asked for and acknowledged, each with the number of disk operations before it. */
type Told = { at: number; uuid: string; version: Version; word: 'ask' | 'acknowledge' }

const contentOf = (version: number) => ({ extra: { version }, driver_info: { ipmi_password: `password ${version}` } })

/** Creations, updates and deletions at once and in turn, with checkpoints in between and at the end of each opening. */
async function work(t: TestContext, state_path: string, simulated: SimulatedDisk): Promise<Told[]> {
  const told: Told[] = []
  const change = async (uuid: string, version: Version, ask: () => Promise<unknown>) => {
    told.push({ at: simulated.length, uuid, version, word: 'ask' })
    await ask()
    told.push({ at: simulated.length, uuid, version, word: 'acknowledge' })
  }
  const uuids = Array.from({ length: 6 }, () => randomUUID())
  const create = ({ nodes }: Store, uuid: string, version: number) =>
    change(uuid, version, () => nodes.create(someNode({ uuid, ...contentOf(version) })))
  const update = ({ nodes }: Store, uuid: string, version: number) =>
    change(uuid, version, () => nodes.update(uuid, contentOf(version)))
  const remove = ({ nodes }: Store, uuid: string) => change(uuid, null, () => nodes.delete(uuid))
  for (let opening = 0; opening < 3; opening++) {
    const store = await openAt(t, state_path, { disk: simulated, checkpoint_delay_ms: 1 })
    const version = opening * 10
    const [first = '', second = '', ...others] = uuids
    await Promise.all(uuids.map((uuid) => (store.nodes.get(uuid) ? update : create)(store, uuid, version + 1)))
    for (const uuid of others) await update(store, uuid, version + 2)
    await remove(store, first)
    await Promise.all([update(store, second, version + 3), create(store, first, version + 4)])
    await remove(store, first)
    await store.close()
  }
  return told
}

/** What a start finds, and whether its secrets are readable. */
async function versionsIn(state_path: string): Promise<Map<string, Version>> {
  const found = await recover(disk, state_path, ['nodes', 'ports'])
  const secrets = new Secrets(join(state_path, 'secret.key'))
  return new Map(
    found.documents.map((document) => {
      const { extra, driver_info } = secrets.decrypt(document.record ?? {}, document) as Record<string, Json>
      const version = Number(extra?.version)
      return [document.uuid, driver_info?.ipmi_password === `password ${version}` ? version : -1]
    }),
  )
}

function expectedAt(told: readonly Told[], n: number): PossibleStates {
  const states = new PossibleStates()
  // Asked for when n operations were done: it may be under way in the next one, which is not done yet.
  for (const { at, uuid, version, word } of told) if (at <= n) states[word](uuid, version)
  return states
}

describe('power cut', () => {
  for (const cut of POWER_CUTS) {
    it(`loses no acknowledged change after any operation, when of what was not synced ${cut} is left`, async (t) => {
      const state_path = stateFolder(t)
      const simulated = new SimulatedDisk(state_path)
      const told = await work(t, state_path, simulated)

      const wrong: string[] = []
      const scene = join(stateFolder(t), 'after')
      for (let n = 0; n <= simulated.length; n++) {
        simulated.cutPower(n, cut, scene)
        const found = await versionsIn(scene).catch((error: Error) => error)
        const problems = found instanceof Error ? [found.message] : expectedAt(told, n).settle(found)
        wrong.push(...problems.map((problem) => `after operation ${n}: ${problem}`))
        rmSync(scene, { recursive: true, force: true })
      }

      assert.deepEqual(wrong, [])
      assert.ok(simulated.length > 200, `only ${simulated.length} operations`)
      t.diagnostic(`${simulated.length} operations`)
    })
  }
})
