/** How a command that runs until it is ended is ended, by whatever stands between it and the terminal. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it, type TestContext } from 'node:test'
import { CHECKOUT } from '../../rack/cache.ts'

const LAUNCHER = join(CHECKOUT, 'appliance/rackstrap')
const DEADLINE_MS = 45_000

type Line = { message: string; signal?: string }

/** Its output ends with the last process that has it. */
function startServe(t: TestContext, command: string, ...args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'rackstrap-signals-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const config = join(folder, 'rackstrap.conf')
  const local = '[api]\nhost_ip = 127.0.0.1\nport = 0\n[deploy]\nhttp_url = http://127.0.0.1:0\n'
  writeFileSync(config, `[DEFAULT]\nstate_path = ${folder}/state\nmy_ip = 127.0.0.1\n${local}`)
  const child = spawn(command, [...args, 'serve', '--config', config], {
    cwd: CHECKOUT,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => endGroup(child))
  const lines: Line[] = []
  const starts = Promise.withResolvers<void>()
  const listens = Promise.withResolvers<void>()
  const reader = createInterface({ input: child.stdout }).on('line', (text) => {
    lines.push(JSON.parse(text))
    starts.resolve()
    if (lines.at(-1)?.message === 'listening') listens.resolve()
  })
  const ended = new Promise<void>((resolve) => reader.once('close', resolve))
  return {
    child,
    lines,
    starts: within('word', starts.promise),
    listens: within('listening', listens.promise),
    ended: () => within('end', ended),
  }
}

function endGroup({ pid }: ChildProcess): void {
  try {
    process.kill(-(pid ?? 0), 'SIGKILL')
  } catch {
    // All of it has ended.
  }
}

function within<T>(what: string, happening: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`no ${what} within ${DEADLINE_MS / 1000} s`)), DEADLINE_MS)
  return Promise.race([happening, late.promise]).finally(() => clearTimeout(timer))
}

describe('rackstrap serve', { concurrency: true }, () => {
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGQUIT'] as const) {
    it(`stops in order at ${signal}`, async (t) => {
      const { child, lines, listens, ended } = startServe(t, LAUNCHER)
      await listens

      child.kill(signal)
      await ended()

      assert.deepEqual(
        lines.slice(-2).map(({ message, signal }) => [message, signal]),
        [
          ['stopping', signal],
          ['stopped', undefined],
        ],
      )
    })
  }

  it('stops in order when it is told to before it has started', async (t) => {
    const { child, lines, starts, ended } = startServe(t, LAUNCHER)
    await starts

    child.kill('SIGTERM')
    await ended()

    assert.equal(lines.at(-1)?.message, 'stopped')
  })

  it('outlives its terminal under nohup', async (t) => {
    const { child, lines, listens, ended } = startServe(t, 'nohup', LAUNCHER)
    await listens

    child.kill('SIGHUP')
    child.kill('SIGTERM')
    await ended()

    assert.deepEqual(
      lines.slice(-2).map(({ message, signal }) => [message, signal]),
      [
        ['stopping', 'SIGTERM'],
        ['stopped', undefined],
      ],
    )
  })

  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGKILL'] as const) {
    it(`stops in order when npx, which started it, gets ${signal}`, async (t) => {
      const { child, lines, listens, ended } = startServe(t, 'npx', 'rackstrap')
      await listens

      child.kill(signal)
      await ended()

      assert.equal(lines.at(-1)?.message, 'stopped')
    })
  }
})
