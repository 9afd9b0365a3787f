/** The agent's list of commands: what it remembers of each, and in which words. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AgentError } from '../../../../../pxe/ramdisk/agent/errors.ts'
import { type Command, createCommands } from '../../../../../pxe/ramdisk/agent/protocol/commands.ts'

function scene() {
  const release = Promise.withResolvers<string>()
  const ended: string[] = []
  const commands = createCommands({
    table: {
      test: {
        talk: { kind: 'sync', run: async () => 'hello' },
        count: { kind: 'sync', run: async () => ({ number: 1 }) },
        nothing: { kind: 'sync', run: async () => undefined },
        fail: { kind: 'sync', run: () => Promise.reject(new Error('broken')) },
        refuse: {
          kind: 'async',
          validate() {
            throw new AgentError('InvalidCommandParamsError', 'no')
          },
          run: async () => undefined,
        },
        wait: {
          kind: 'async',
          run(_params, { progress }) {
            progress({ note: 'waiting', done: 1, total: 2, unit: 'steps' })
            return release.promise
          },
        },
      },
    },
    onStart: () => {},
    onEnd: ({ command_name }, kind) => ended.push(`${kind} ${command_name}`),
  })
  return { commands, release, ended }
}
const resultOf = ({ command_status, command_result, command_error }: Command) => [
  command_status,
  command_result,
  command_error,
]

describe('commands', () => {
  it('have results in the shapes of ironic-python-agent', async () => {
    const { commands } = scene()

    assert.deepEqual(resultOf(await commands.execute('test.talk', {}, true)), ['SUCCEEDED', { result: 'hello' }, null])
    assert.deepEqual(resultOf(await commands.execute('test.count', {}, true)), ['SUCCEEDED', { number: 1 }, null])
    assert.deepEqual(resultOf(await commands.execute('test.nothing', {}, true)), ['SUCCEEDED', null, null])
    assert.deepEqual(resultOf(await commands.execute('test.fail', {}, true)), [
      'FAILED',
      null,
      { type: 'CommandExecutionError', code: 500, message: 'Command execution failed', details: 'broken' },
    ])
  })

  it('that go on are found running, with their progress, and then with their result', async () => {
    const { commands, release, ended } = scene()

    const started = { ...(await commands.execute('test.wait', {}, false)) }
    await assert.rejects(commands.execute('test.talk', {}, false), {
      kind: 'AgentIsBusy',
      details: 'executing command wait',
    })
    release.resolve('done')
    const finished = await commands.get(started.id, true)

    assert.equal(started.command_status, 'RUNNING')
    assert.deepEqual(started.command_progress, { note: 'waiting', done: 1, total: 2, unit: 'steps' })
    assert.deepEqual(resultOf(finished), ['SUCCEEDED', { result: 'wait: done' }, null])
    assert.equal('command_progress' in finished, false)
    assert.deepEqual(ended, ['async wait'])
  })

  it('whose parameters are refused leave nothing behind', async () => {
    const { commands } = scene()

    await assert.rejects(commands.execute('test.refuse', {}, false), { kind: 'InvalidCommandParamsError', code: 400 })

    assert.deepEqual(commands.list(), [])
    await assert.rejects(commands.get('unknown', false), {
      code: 404,
      details: 'Command Result with id unknown not found.',
    })
  })

  it('are forgotten, the oldest first, when there are more than 200', async () => {
    const { commands } = scene()
    const first = await commands.execute('test.talk', {}, true)

    for (let count = 0; count < 200; count++) await commands.execute('test.count', {}, true)

    assert.equal(commands.list().length, 200)
    assert.equal(
      commands.list().some(({ id }) => id === first.id),
      false,
    )
  })
})
