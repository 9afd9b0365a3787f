/** Programs that run for a plugin end with all that they have started. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { exec } from '../../../appliance/conductor/plugin/exec.ts'
import { endStrays, markOf } from '../../../appliance/conductor/plugin/process-tree.ts'

const NODE_UUID = '11111111-0000-4000-8000-000000000000'
const DEADLINE_MS = 10_000
/** Tells the pids of itself, a child, a grandchild in a session of its own, and one that is nobody's child any more. */
const TREE = `
  echo $$
  sleep 1000 & echo $!
  setsid sh -c 'echo $$; exec sleep 1000' &
  (setsid sh -c 'echo $$; exec sleep 1000' </dev/null 2>/dev/null &)
  `

const isGone = (pid: number) => {
  try {
    return !process.kill(pid, 0)
  } catch {
    // ESRCH: there is no such process.
    return true
  }
}

async function untilGone(pids: readonly number[]): Promise<void> {
  const end_ms = performance.now() + DEADLINE_MS
  while (!pids.every(isGone)) {
    assert.ok(performance.now() < end_ms, `still there: ${pids.filter((pid) => !isGone(pid)).join()}`)
    await pause(10)
  }
}

/** Runs the tree, and `then` at its end; `onPids` hears of its four processes. */
function runTree(then: string, onPids: (pids: number[]) => void, o: { timeout_s?: number; signal?: AbortSignal } = {}) {
  const { signal = AbortSignal.timeout(DEADLINE_MS), ...more } = o
  const pids: number[] = []
  const onLine = (line: string) => {
    pids.push(Number(line))
    if (pids.length === 4) onPids(pids)
  }
  return exec('sh', ['-c', TREE + then], { ...more, onLine }, { signal, node_uuid: NODE_UUID })
}

describe('a program that runs for a plugin', () => {
  it('ends with its children, theirs, and those that left its session, when it is called off', async () => {
    const called = new AbortController()
    const told = Promise.withResolvers<number[]>()

    const running = runTree('wait', told.resolve, { signal: called.signal })
    const pids = await told.promise
    assert.deepEqual(pids.map(isGone), [false, false, false, false])
    called.abort(new Error('the operator gave up'))

    await assert.rejects(running, { message: 'the operator gave up' })
    await untilGone(pids)
  })

  it('ends with them when its time is over, whoever holds its output open', async () => {
    let pids: number[] = []

    const running = runTree('wait', (told) => (pids = told), { timeout_s: 0.5 })

    await assert.rejects(running, { message: /^sh failed: Command timed out after 500 milliseconds/ })
    assert.equal(pids.length, 4)
    await untilGone(pids)
  })

  it('that ends leaves nothing behind', async () => {
    const told: number[] = []
    const left = `setsid sleep 1000 >/dev/null 2>&1 & echo $!`

    await exec(
      'sh',
      ['-c', left],
      { onLine: (line) => told.push(Number(line)) },
      { signal: AbortSignal.timeout(DEADLINE_MS), node_uuid: NODE_UUID },
    )

    assert.equal(told.length, 1)
    await untilGone(told)
  })

  it('leaves no daemon behind that has hidden its environment, in the folder that it was given', async (t) => {
    const cwd = await mkdtemp(join(tmpdir(), 'exec-'))
    t.after(() => rm(cwd, { recursive: true }))
    const told: number[] = []
    const hidden = "env -i setsid sh -c 'echo $$; exec sleep 1000' 2>/dev/null </dev/null &"

    await exec(
      'sh',
      ['-c', `(${hidden}) | head -n 1`],
      { cwd, onLine: (line) => told.push(Number(line)) },
      { signal: AbortSignal.timeout(DEADLINE_MS), node_uuid: NODE_UUID },
    )

    assert.equal(told.length, 1)
    await untilGone(told)
  })

  it('that does not want to end is killed', async () => {
    const called = new AbortController()
    const told = Promise.withResolvers<number>()
    const stubborn = "trap '' TERM; echo $$; while :; do sleep 1; done"
    const by = { signal: called.signal, node_uuid: NODE_UUID }

    const running = exec('sh', ['-c', stubborn], { onLine: (line) => told.resolve(Number(line)) }, by)
    const pid = await told.promise
    called.abort(new Error('enough'))

    await assert.rejects(running, { message: 'enough' })
    await untilGone([pid])
  })
})

describe('what a killed appliance has left running', () => {
  it('is ended for its own nodes, and for no one else', async () => {
    const start = (uuid: string) =>
      spawn('sleep', ['1000'], { detached: true, stdio: 'ignore', env: { ...process.env, ...markOf(uuid) } })
    const [ours, other] = [start(NODE_UUID), start('22222222-0000-4000-8000-000000000000')]
    await Promise.all([once(ours, 'spawn'), once(other, 'spawn')])
    const ended = once(ours, 'exit')

    await endStrays((uuid) => uuid === NODE_UUID)

    assert.deepEqual((await ended)[1], 'SIGKILL')
    assert.equal(isGone(other.pid ?? 0), false)
    other.kill('SIGKILL')
  })
})
