/** `npm run rack` as a person meets it: how it fails, and how it ends. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { CHECKOUT } from '../rack/cache.ts'
import { namespaces } from '../rack/steel/network.ts'
import { PREPARE_DEADLINE_MS } from './racks.ts'

/** As npm starts it; the output grows while it runs. */
function startCommand(...args: string[]) {
  const child = spawn(process.execPath, [join(CHECKOUT, 'test/rack/command/main.ts'), ...args], { cwd: CHECKOUT })
  const seen = { text: '' }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (seen.text += chunk))
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  return { child, seen, ended }
}

function outputOf(child: ChildProcess, seen: { text: string }, words: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => words.test(seen.text) && resolve()
    child.stdout?.on('data', look)
    child.once('close', () => reject(new Error(`it ended without ${words}:\n${seen.text}`)))
    look()
  })
}

async function nothingIsLeftOf(pid: number | undefined): Promise<void> {
  const mine = (name: string) => name.startsWith(`rackstrap-rack-${pid}`)
  assert.deepEqual((await namespaces()).filter(mine), [])
  assert.deepEqual((await readdir(tmpdir())).filter(mine), [])
}

describe('npm run rack', () => {
  it('ends with one sentence and the log to read when the image cannot be used', {
    timeout: PREPARE_DEADLINE_MS,
  }, async () => {
    const { child, seen, ended } = startCommand('--image', '/dev/null')

    assert.equal(await ended, 1)
    assert.match(
      seen.text,
      /failed: --image \/dev\/null is neither qcow2 nor a raw disk: it has no boot sector\nread \S+/,
    )
    await nothingIsLeftOf(child.pid)
  })

  it('clears everything away at Ctrl-C in the middle of a deploy', { timeout: PREPARE_DEADLINE_MS }, async () => {
    const { child, seen, ended } = startCommand('--memory', '512')
    await outputOf(child, seen, /iPXE/)

    child.kill('SIGINT')

    assert.equal(await ended, 130)
    assert.match(seen.text, /stopped; nothing is left running/)
    await nothingIsLeftOf(child.pid)
  })
})
