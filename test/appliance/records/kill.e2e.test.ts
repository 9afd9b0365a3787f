/** kill -9 at any instant, hundreds of times over. RACKSTRAP_KILL_ROUNDS=N asks for more rounds. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { PossibleStates, type Version } from './possible-states.ts'
import { stateFolder } from './state-folder.ts'

const ROUNDS = Number(process.env.RACKSTRAP_KILL_ROUNDS ?? 208)
/** A process costs more than a store: each one killed works on that many. */
const STORES = 16
const LANES = 2
const DEADLINE_MS = 30_000
const WRITER = join(import.meta.dirname, 'kill-writer.ts')

type Killed = { output: string; acknowledged: number }

/**
 * Runs the writer on these folders and kills it: while it opens, or once it has acknowledged so many changes and some
 * ms.
 */
async function killOnce(folders: readonly string[], whileOpening: boolean): Promise<Killed> {
  const child = spawn(process.execPath, [WRITER, ...folders], { stdio: ['ignore', 'pipe', 'inherit'] })
  const deadline = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS)
  const acknowledgements = randomInt(1, 400)
  const delay_ms = randomInt(0, whileOpening ? 100 : 30)
  let killer: NodeJS.Timeout | undefined
  let output = ''
  let acknowledged = 0
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    acknowledged += text.split(' done ').length - 1
    if (whileOpening || acknowledged >= acknowledgements) killer ??= setTimeout(() => child.kill('SIGKILL'), delay_ms)
  })
  const [code, signal] = await once(child, 'close')
  clearTimeout(deadline)
  clearTimeout(killer)
  assert.deepEqual([code, signal], [null, 'SIGKILL'], 'the writer ended by itself; see its output above')
  if (!whileOpening) assert.ok(acknowledged > 0, `nothing was acknowledged within ${DEADLINE_MS / 1000} s`)
  return { output, acknowledged }
}

/** Takes down what a killed writer told. @returns what is wrong with what it had found */
function takeDown(output: string, states: readonly PossibleStates[]): string[] {
  const found = states.map(() => new Map<string, Version>())
  const wrong: string[] = []
  for (const line of output
    .slice(0, output.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(Boolean)) {
    const [index, word, uuid = '', last] = line.split(' ')
    const state = states[Number(index)]
    assert.ok(state, line)
    const version = last === 'null' ? null : Number(last)
    if (word === 'found') found[Number(index)]?.set(uuid, version)
    else if (word === 'ready') wrong.push(...state.settle(found[Number(index)] ?? new Map()))
    else if (word === 'asks') state.ask(uuid, version)
    else if (word === 'done' || word === 'refused') state.acknowledge(uuid, version)
  }
  return wrong
}

async function lane(
  t: TestContext,
  rounds: number,
): Promise<{ rounds: number; acknowledged: number; wrong: string[] }> {
  const folders = Array.from({ length: STORES }, () => stateFolder(t))
  const states = folders.map(() => new PossibleStates())
  const total = { rounds: 0, acknowledged: 0, wrong: [] as string[] }
  for (let kill = 0; total.rounds < rounds && total.wrong.length === 0; kill++) {
    const { output, acknowledged } = await killOnce(folders, kill % 4 === 3)
    total.wrong.push(...takeDown(output, states))
    total.rounds += STORES
    total.acknowledged += acknowledged
  }
  // What the last kill left behind is found by one more start.
  total.wrong.push(...takeDown((await killOnce(folders, false)).output, states))
  return total
}

describe('kill -9', () => {
  it('loses no acknowledged change, keeps no refused one, and leaves no half record', async (t) => {
    const lanes = await Promise.all(Array.from({ length: LANES }, () => lane(t, ROUNDS / LANES)))

    assert.deepEqual(
      lanes.flatMap(({ wrong }) => wrong),
      [],
    )
    const sum = (key: 'rounds' | 'acknowledged') => lanes.reduce((all, one) => all + one[key], 0)
    t.diagnostic(`${sum('rounds')} stores killed, ${sum('acknowledged')} acknowledged changes`)
  })
})
