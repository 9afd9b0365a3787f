/** A line of the log as a person at a terminal reads it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { createLog, type LogLevel } from '../../appliance/log.ts'
import { readableLine } from '../../appliance/log-lines.ts'
import type { Json } from '../../appliance/plugin-api/index.ts'

const LOG = join(import.meta.dirname, '../../appliance/log.ts')
const execute = promisify(execFile)

function shown(level: LogLevel, message: string, fields: Json, colours = false): string {
  const lines: string[] = []
  createLog('debug', (line) => lines.push(readableLine(line, colours)))[level](message, fields)
  return lines.join('').replace(/^\d\d:\d\d:\d\d /, 'TIME ')
}

describe('a line of the log on a terminal', () => {
  it('has time, level, message and fields', () => {
    const line = shown('info', 'step finished', {
      node: 'n1',
      duration_s: 41.2,
      ok: true,
      nothing: null,
      list: [1, 'b'],
    })

    assert.equal(line, 'TIME info  step finished node=n1 duration_s=41.2 ok=true nothing=null list=[1,"b"]\n')
  })

  it('stands out when it tells of an error or a warning', () => {
    assert.equal(
      shown('warn', 'disk nearly full', {}, true),
      'TIME \u001b[1;33mWARN \u001b[0m \u001b[1;33mdisk nearly full\u001b[0m\n',
    )
    assert.equal(
      shown('error', 'disk full', {}, true),
      'TIME \u001b[1;31mERROR\u001b[0m \u001b[1;31mdisk full\u001b[0m\n',
    )
    assert.equal(shown('error', 'disk full', {}), 'TIME ERROR disk full\n')
  })

  it('tells an error by its message, and its stack below', () => {
    const [first, second] = shown('error', 'failed', {
      error: new Error('no route', { cause: new Error('cut') }),
    }).split('\n')

    assert.equal(first, 'TIME ERROR failed error="no route: cut"')
    assert.match(second ?? '', /^ {4}at .*log-lines\.test\.ts/)
  })

  it('cannot be forged or damaged by what a message or a field holds', () => {
    const line = shown('info', 'said\nTIME ERROR all lost', {
      text: 'a\u001b[2J\r\nb\u0007\u009b31m\u2028\u202egnp',
      'na\u001bme': 1,
      deep: { x: '\u001b]0;title\u0007' },
    })

    assert.equal(line.match(/\p{Cc}/gu)?.join(''), '\n')
    assert.equal(
      line,
      'TIME info  said\\u{a}TIME ERROR all lost text="a\\u001b[2J\\r\\nb\\u0007\\u{9b}31m\\u{2028}\\u{202e}gnp" na\\u{1b}me=1 deep={"x":"\\u001b]0;title\\u0007"}\n',
    )
  })

  it('masks secrets as JSON does', () => {
    const line = shown('info', 'called', {
      ipmi_password: 'correct-horse',
      url: 'http://admin:correct-horse@192.0.2.1/',
    })

    assert.equal(
      line,
      'TIME info  called ipmi_password=****** url="http://admin:******@192.0.2.1/"\n'
        .replace('="http', '=http')
        .replace('/"\n', '/\n'),
    )
  })
})

describe('standard output as the place of the log', () => {
  const say = `import(${JSON.stringify(LOG)}).then(({ createLog }) => createLog("info").info("hello", { a: 1 }))`
  const program = `'${process.execPath}' -e '${say}'`

  it('gets JSON when it is no terminal', async () => {
    const { stdout } = await execute('sh', ['-c', program])

    assert.equal(JSON.parse(stdout).message, 'hello')
  })

  it('gets lines for people when it is one', async () => {
    const { stdout } = await execute('script', ['-qec', program, '/dev/null'], {
      env: { ...process.env, NO_COLOR: '1' },
    })

    assert.match(stdout, /^\d\d:\d\d:\d\d info {2}hello a=1\r\n$/)
  })

  it('may be gone: the log is lost, the process is not', async () => {
    const told = `import(${JSON.stringify(LOG)}).then(({ createLog }) => { createLog("info").info("hello"); console.error("alive") })`

    const { stderr } = await execute('sh', ['-c', `'${process.execPath}' -e '${told}' > /dev/full`])

    assert.match(stderr, /alive/)
  })
})
