/**
 * Kills a registry at any instant while clients push, again and again on the same folder, and looks for what was lost
 * or damaged.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { askPort, descriptor, IMAGE, sha256, temporaryFolder } from './registry.ts'

const CLIENTS = 4
const PROGRAM = join(import.meta.dirname, 'killed-registry.ts')
const DEADLINE_MS = 20_000

/** What was acknowledged, and so must be there for ever. */
type Acknowledged = { blobs: Set<string>; manifests: Set<string>; tags: Map<string, string> }
/** A tag may also have any value that was asked for since, and not acknowledged: a kill may have come between. */
type Ledger = Acknowledged & { asked: Map<string, Set<string>> }

async function startProcess(folder: string): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, [PROGRAM, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line', {
    signal: AbortSignal.timeout(DEADLINE_MS),
  })) as [string]
  return { child, port: Number(line) }
}

/** Pushes images under its own tag until the registry is gone. */
async function client(port: number, id: number, ledger: Ledger): Promise<void> {
  const tag = `client-${id}`
  for (;;) {
    const layer = randomBytes(randomInt(4) > 0 ? randomInt(1, 5000) : randomInt(1_000_000, 3_000_000))
    for (const bytes of [Buffer.from('{}'), layer]) {
      const digest = sha256(bytes)
      const { headers } = await askPort(port, 'POST', '/v2/killed/blobs/uploads/')
      const half = Math.ceil(bytes.length / 2)
      await askPort(port, 'PATCH', String(headers.location), { body: bytes.subarray(0, half) })
      const put = `${headers.location}?digest=${digest}`
      const { status } = await askPort(port, 'PUT', put, { body: bytes.subarray(half) })
      assert.equal(status, 201)
      ledger.blobs.add(digest)
    }
    const text = JSON.stringify({
      schemaVersion: 2,
      mediaType: IMAGE,
      config: descriptor('application/vnd.oci.empty.v1+json', '{}'),
      layers: [descriptor('application/octet-stream', layer)],
    })
    const asked = ledger.asked.get(tag) ?? new Set()
    ledger.asked.set(tag, asked.add(sha256(text)))
    const ask = { headers: { 'content-type': IMAGE }, body: text }
    const { status } = await askPort(port, 'PUT', `/v2/killed/manifests/${tag}`, ask)
    assert.equal(status, 201)
    ledger.manifests.add(sha256(text))
    ledger.tags.set(tag, sha256(text))
    asked.clear()
  }
}

async function killOnce(folder: string, ledger: Ledger): Promise<void> {
  const { child, port } = await startProcess(folder)
  const exited = once(child, 'exit')
  const clients = Array.from({ length: CLIENTS }, (_, id) =>
    client(port, id, ledger).catch((error: NodeJS.ErrnoException) => {
      if (error.code === undefined || error.code === 'ERR_ASSERTION') throw error
    }),
  )
  setTimeout(() => child.kill('SIGKILL'), randomInt(1, 400))
  await Promise.all([exited, ...clients])
}

/** @returns what is wrong with a folder that no registry is using */
function damageIn(folder: string): string[] {
  return ['sha256', 'sha512'].flatMap((algorithm) => {
    const blobs = join(folder, 'blobs', algorithm)
    try {
      return readdirSync(blobs).flatMap((hex) => {
        const found = createHash(algorithm)
          .update(readFileSync(join(blobs, hex)))
          .digest('hex')
        return found === hex ? [] : [`${algorithm}:${hex} holds ${found}`]
      })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      return []
    }
  })
}

/** @returns what is wrong with what a registry answers */
async function lossesOf(port: number, ledger: Ledger): Promise<string[]> {
  const wrong: string[] = []
  for (const digest of ledger.blobs) {
    const { status } = await askPort(port, 'HEAD', `/v2/killed/blobs/${digest}`)
    if (status !== 200) wrong.push(`blob ${digest} is lost: ${status}`)
  }
  for (const digest of ledger.manifests) {
    const { status, body } = await askPort(port, 'GET', `/v2/killed/manifests/${digest}`)
    if (status !== 200 || sha256(body) !== digest) wrong.push(`manifest ${digest} is lost: ${status}`)
  }
  for (const [tag, digest] of ledger.tags) {
    const { status, body } = await askPort(port, 'GET', `/v2/killed/manifests/${tag}`)
    const found = sha256(body)
    if (status !== 200 || (found !== digest && !ledger.asked.get(tag)?.has(found))) wrong.push(`tag ${tag}: ${status}`)
    ledger.tags.set(tag, found)
  }
  return wrong
}

async function check(folder: string, ledger: Ledger): Promise<string[]> {
  const damage = damageIn(folder)
  const { child, port } = await startProcess(folder)
  const exited = once(child, 'exit')
  try {
    return [...damage, ...(await lossesOf(port, ledger))]
  } finally {
    child.kill('SIGKILL')
    await exited
  }
}

/** Fails when anything acknowledged is lost, or anything visible is damaged. */
export async function surviveKills(t: TestContext, rounds: number): Promise<void> {
  const folder = temporaryFolder(t)
  const ledger: Ledger = { blobs: new Set(), manifests: new Set(), tags: new Map(), asked: new Map() }
  const wrong: string[] = []
  for (let round = 1; round <= rounds && wrong.length === 0; round++) {
    await killOnce(folder, ledger)
    if (round % 25 === 0 || round === rounds) wrong.push(...(await check(folder, ledger)))
  }
  assert.deepEqual(wrong, [])
  assert.ok(ledger.manifests.size > 0, 'nothing was acknowledged')
  t.diagnostic(`${rounds} kills, ${ledger.blobs.size} blobs and ${ledger.manifests.size} manifests acknowledged`)
}
