/** A mirror that is killed at any instant while it holds images for nodes, again and again on the same folder. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { sha256, temporaryFolder, testRegistry } from '../registry.ts'
import { faultInjector } from '../upstream/fault-injector.ts'
import { type Built, pushBootable } from './images.ts'

const PROGRAM = join(import.meta.dirname, 'killed-holder.ts')
const ROUNDS = 20
const IMAGES = 5
const DEADLINE_MS = 60_000

type Line = { owner: string; began?: string; held?: string }
/** What each owner was told last that they hold, and what was begun for them since. */
type Ledger = Map<string, { held?: string; begun: Set<string> }>

/** Killed a moment after something was begun. @returns how many were held */
async function killOnce(folder: string, url: string, { round, ledger }: { round: number; ledger: Ledger }) {
  const args = [PROGRAM, folder, url, String(round), String(IMAGES)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit', { signal: AbortSignal.timeout(DEADLINE_MS) })
  let held = 0
  let isTimed = false
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as Line
    const entry = ledger.get(line.owner) ?? { begun: new Set() }
    ledger.set(line.owner, entry)
    if (line.began) entry.begun.add(line.began)
    if (line.held) {
      entry.held = line.held
      entry.begun.clear()
      held++
    }
    if (!isTimed) setTimeout(() => child.kill('SIGKILL'), randomInt(1, 250))
    isTimed = true
  }
  await exited
  return held
}

/** @returns what is wrong with what lies there */
function problemsIn(folder: string, ledger: Ledger, images: ReadonlyMap<string, Built>): string[] {
  const blobs = join(folder, 'blobs/sha256')
  const isHere = (digest: string) => existsSync(join(blobs, digest.slice('sha256:'.length)))
  const wrong = (existsSync(blobs) ? readdirSync(blobs) : [])
    .filter((hex) => sha256(readFileSync(join(blobs, hex))) !== `sha256:${hex}`)
    .map((hex) => `${hex} is wrong`)
  const path = join(folder, 'state.json')
  const state = JSON.parse(existsSync(path) ? readFileSync(path, 'utf8') : '{"holds":{}}') as {
    holds: Record<string, { digest: string }[]>
  }
  for (const [owner, { held, begun }] of ledger) {
    const found = (state.holds[owner] ?? []).map(({ digest }) => digest)
    // One that was acknowledged may have been replaced by one that was not yet: then that is all here, too.
    const isReplaced = held !== undefined && found.length === 1 && begun.has(found[0] ?? '')
    const sure = isReplaced ? found : held === undefined ? [] : [held]
    for (const digest of sure) {
      if (!found.includes(digest)) wrong.push(`${owner} does not hold ${digest}, but ${found}`)
      for (const blob of [digest, ...(images.get(digest)?.layerDigests ?? [])])
        if (!isHere(blob)) wrong.push(`${blob}, which ${owner} holds, is not here`)
    }
    for (const digest of found)
      if (digest !== held && !begun.has(digest)) wrong.push(`${owner} holds ${digest}, which was never asked for`)
  }
  return wrong
}

describe('a mirror that is killed while it holds images', () => {
  it(`has all of what it told that it holds in ${ROUNDS} rounds, and nothing wrong`, async (t) => {
    const upstream = await testRegistry(t)
    const images = new Map<string, Built>()
    for (let at = 0; at < IMAGES; at++) {
      const built = await pushBootable(upstream, { name: 'org/app', tag: `v${at}` }, { sizes: [1_500_000, 1000] })
      images.set(built.digest, built)
    }
    const injector = await faultInjector(t, () => upstream.port)
    injector.fault(/blobs/, { bytes_per_s: 20_000_000 })
    const folder = temporaryFolder(t)
    const ledger: Ledger = new Map()

    let held = 0
    const wrong: string[] = []
    for (let round = 0; round < ROUNDS && wrong.length === 0; round++) {
      held += await killOnce(folder, injector.url, { round, ledger })
      wrong.push(...problemsIn(folder, ledger, images))
    }

    assert.deepEqual(wrong, [])
    assert.ok(held > 0, 'nothing was ever held')
    t.diagnostic(`${held} holds in ${ROUNDS} rounds`)
  })
})
