/**
 * Kills a registry at any instant while it collects garbage and clients push, delete and pin: nothing acknowledged is
 * lost.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { askRunning } from '../../../registry-mirror/admin/admin-socket.ts'
import { askPort, sha256, type TestRegistry, temporaryFolder } from '../registry.ts'
import { LAYERS, lossesOf, manifestOf, pushOne } from './pushing.ts'

const ROUNDS = 40
const CLIENTS = 3
const PROGRAM = join(import.meta.dirname, 'killed-registry.ts')

type Pushed = { name: string; text: string; layers: readonly Buffer[] }
type Asked = Pick<TestRegistry, 'ask'>
type Ledger = { pushed: Map<string, Pushed>; pins: Set<string> }

async function start(folder: string): Promise<{ child: ChildProcess; registry: Asked }> {
  const child = spawn(process.execPath, [PROGRAM, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line', {
    signal: AbortSignal.timeout(20_000),
  })) as [string]
  return { child, registry: { ask: (method, path, ask) => askPort(Number(line), method, path, ask) } }
}

/** Until the registry is gone. */
async function client(folder: string, registry: Asked, ledger: Ledger): Promise<void> {
  for (;;) {
    const name = `app-${randomInt(3)}`
    const layers = LAYERS.filter(() => randomInt(3) === 0)
    const text = manifestOf(layers, name, randomInt(1e9))
    await pushOne(registry, name, layers, text)
    ledger.pushed.set(text, { name, text, layers })
    await askRunning(folder, { ask: 'pin', target: `${name}@${sha256(text)}` }, () => {})
    ledger.pins.add(`${name}@${sha256(text)}`)
    const [doomed] = [...ledger.pushed.values()].filter(() => randomInt(2) === 0)
    if (doomed === undefined) continue
    // From now on it may be there or not.
    ledger.pushed.delete(doomed.text)
    await registry.ask('DELETE', `/v2/${doomed.name}/manifests/${sha256(doomed.text)}`)
  }
}

describe('a registry that is killed while it collects garbage', () => {
  it(`loses nothing that was acknowledged, in ${ROUNDS} rounds`, async (t) => {
    const folder = temporaryFolder(t)
    const ledger: Ledger = { pushed: new Map(), pins: new Set() }
    const lost: string[] = []
    let total = 0
    for (let round = 0; round < ROUNDS && lost.length === 0; round++) {
      const { child, registry } = await start(folder)
      const exited = once(child, 'exit')
      for (const { name, text, layers } of ledger.pushed.values())
        lost.push(...(await lossesOf(registry, name, text, layers)))
      const status = await askRunning(folder, { ask: 'status' }, () => {})
      const pins = status && 'status' in status ? Object.keys(status.status.pins) : []
      for (const pin of ledger.pins) if (!pins.includes(pin)) lost.push(`pin ${pin}`)
      const before = ledger.pins.size
      const clients = Array.from({ length: CLIENTS }, () =>
        client(folder, registry, ledger).catch((error: NodeJS.ErrnoException) => {
          // All others are of a connection that the kill has cut.
          if (error.code === 'ERR_ASSERTION') lost.push(error.message)
        }),
      )
      await wait(randomInt(20, 250))
      child.kill('SIGKILL')
      await Promise.all([exited, ...clients])
      total += ledger.pins.size - before
    }

    assert.deepEqual(lost.slice(0, 5), [])
    assert.ok(total > 0, 'nothing was acknowledged')
    t.diagnostic(`${total} manifests and pins acknowledged, ${ledger.pushed.size} not deleted again`)
  })
})
