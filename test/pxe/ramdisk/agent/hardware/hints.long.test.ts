/**
 * Asks the stock agent, from PyPI, what it makes of every hint: the answers that hints.test.ts relies on are still
 * its own.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { AGENT } from '../../../../rack/stock-agent/recipe.ts'
import { inFolder } from '../quick-folder.ts'
import { type Answers, DISKS, HINTS } from './hint-cases.ts'

const execute = promisify(execFile)
const TIMEOUT_MS = 300_000
const ANSWERS = join(import.meta.dirname, 'stock-hints.jsonl')
const QUESTIONS = join(import.meta.dirname, 'stock-hints.py')

async function askStockAgent(folder: string): Promise<Answers[]> {
  await execute('python3', ['-m', 'venv', folder], { timeout: TIMEOUT_MS })
  const options = ['--quiet', '--disable-pip-version-check', '--no-input']
  await execute(join(folder, 'bin/pip'), ['install', ...options, AGENT], { timeout: TIMEOUT_MS })
  const running = execute(join(folder, 'bin/python'), [QUESTIONS], { timeout: TIMEOUT_MS, maxBuffer: 16 * 1024 ** 2 })
  running.child.stdin?.end(JSON.stringify({ disks: DISKS, hints: HINTS }))
  return JSON.parse((await running).stdout) as Answers[]
}

describe('the stock agent', () => {
  it('answers as it is written down in stock-hints.jsonl', { timeout: 2 * TIMEOUT_MS }, async () => {
    const answers = await inFolder('stock-hints-', askStockAgent)
    const lines = HINTS.map((hints, index) => `${JSON.stringify({ hints, ...answers[index] })}\n`).join('')

    // To write it anew: after an addition to hint-cases.ts, or for another release of the agent.
    if (process.env.STOCK_HINTS === 'write') await writeFile(ANSWERS, lines)
    assert.equal(lines, await readFile(ANSWERS, 'utf8'))
  })
})
