/** What an agent answers is hostile: checked, cut to size, and refused with what is wrong with it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseCommand, parseCommands, parseSteps } from '../../../appliance/agent/commands.ts'
import { command } from './fake-agent.ts'

const NODE = 'n1'
const errorOf = (command_error: unknown) => parseCommand(NODE, command('c', 'FAILED', { command_error })).error

describe('a command as the agent tells it', () => {
  it('keeps its result as it is, and takes the older name of a version mismatch', () => {
    const told = command('c', 'CLEAN_VERSION_MISMATCH', { command_result: [1, { a: null }], more: 'ignored' })

    assert.deepEqual(parseCommand(NODE, told), {
      id: 'id of c',
      name: 'c',
      status: 'VERSION_MISMATCH',
      result: [1, { a: null }],
    })
  })

  it('says why it failed: details, else message, else all there is', () => {
    assert.equal(errorOf({ message: 'm', details: 'd' }), 'd')
    assert.equal(errorOf({ message: 'm', details: '' }), 'm')
    assert.equal(errorOf({ type: 'T', code: 500 }), '{"type":"T","code":500}')
    assert.equal(errorOf('a text'), 'a text')
    assert.equal(errorOf(7), '7')
    assert.equal(errorOf(null), 'Invalid agent response: it failed without saying why')
    assert.equal(errorOf(undefined), 'Invalid agent response: it failed without saying why')
  })

  it('has an error of at most 2000 characters', () => {
    assert.equal(errorOf('x'.repeat(5000))?.length, 2000)
    assert.equal(errorOf({ details: 'x'.repeat(5000) })?.length, 2000)
    assert.equal(errorOf({ blob: 'x'.repeat(5000) })?.length, 2000)
  })

  for (const status of ['DONE', '', 'constructor', '__proto__']) {
    it(`with the status "${status}" is refused`, () => {
      assert.throws(() => parseCommand(NODE, command('c', status)), {
        name: 'AgentFailure',
        message: `The agent of node n1 says that c is "${status}", which is no status`,
      })
    })
  }

  it('may tell its progress; nonsense there is passed over', () => {
    const progressOf = (command_progress: unknown) =>
      parseCommand(NODE, command('c', 'RUNNING', { command_progress })).progress

    assert.deepEqual(progressOf({ note: 'writing', done: 5, total: 10, unit: 'bytes', more: 1 }), {
      note: 'writing',
      done: 5,
      total: 10,
      unit: 'bytes',
    })
    assert.deepEqual(progressOf({ note: 'writing' }), { note: 'writing' })
    for (const nonsense of [null, 'half', {}, { note: 1 }, { note: 'n', done: -1 }, { note: 'x'.repeat(300) }]) {
      assert.equal(progressOf(nonsense), undefined)
    }
  })

  it('that is none is refused with the field that is wrong', () => {
    const refusal = (text: string) => ({
      name: 'AgentFailure',
      message: `The agent of node n1 answered something that is not a command: ${text}`,
    })

    assert.throws(
      () => parseCommand(NODE, command('c', 'RUNNING', { id: 7 })),
      refusal('id: Invalid input: expected string, received number'),
    )
    assert.throws(() => parseCommand(NODE, []), refusal('answer: Invalid input: expected object, received array'))
    assert.throws(
      () => parseCommand(NODE, { ...command('c', 'RUNNING'), command_name: 'x'.repeat(201) }),
      refusal('command_name: Too big: expected string to have <=200 characters'),
    )
  })
})

describe('the list of commands', () => {
  it('keeps the order of the agent', () => {
    const list = parseCommands(NODE, { commands: [command('a', 'FAILED'), command('b', 'RUNNING')] })

    assert.deepEqual(
      list.map(({ name }) => name),
      ['a', 'b'],
    )
  })

  it('has at most 1000 commands, and all of them are commands', () => {
    assert.throws(() => parseCommands(NODE, { commands: Array(1001).fill(command('a', 'RUNNING')) }), {
      message:
        'The agent of node n1 answered something that is not a list of commands: commands: Too big: expected array to have <=1000 items',
    })
    assert.throws(() => parseCommands(NODE, { commands: [command('a', 'RUNNING'), null] }), {
      message:
        'The agent of node n1 answered something that is not a list of commands: commands.1: Invalid input: expected object, received null',
    })
    assert.throws(() => parseCommands(NODE, {}), /not a list of commands: commands: /)
  })
})

describe('the deploy steps that an agent offers', () => {
  const step = { step: 'write_image', priority: 0, interface: 'deploy', reboot_requested: false }

  it('are those of all its hardware managers, with the version that goes back to it', () => {
    const result = {
      deploy_steps: {
        GenericHardwareManager: [
          { ...step, argsinfo: { image_info: { description: 'What to write', required: true }, configdrive: {} } },
        ],
        VendorManager: [
          { ...step, step: 'burn_in', priority: 70, reboot_requested: true, abortable: true, argsinfo: null },
        ],
      },
      hardware_manager_version: { generic_hardware_manager: '1.2' },
    }

    assert.deepEqual(parseSteps(NODE, 'deploy_steps', result), {
      steps: [
        {
          interface: 'deploy',
          step: 'write_image',
          priority: 0,
          reboot_requested: false,
          argsinfo: {
            image_info: { description: 'What to write', required: true },
            configdrive: { description: '' },
          },
        },
        { interface: 'deploy', step: 'burn_in', priority: 70, reboot_requested: true, abortable: true, argsinfo: {} },
      ],
      version: { generic_hardware_manager: '1.2' },
    })
  })

  for (const [what, result] of [
    ['nothing', null],
    ['a list', { deploy_steps: [step], hardware_manager_version: {} }],
    ['a priority that is no number', { deploy_steps: { M: [{ ...step, priority: 'high' }] } }],
    ['a step without a name', { deploy_steps: { M: [{ ...step, step: undefined }] } }],
    ['thousands of steps', { deploy_steps: { M: Array(1001).fill(step) } }],
  ] as const) {
    it(`are refused when the agent tells ${what}`, () => {
      assert.throws(() => parseSteps(NODE, 'deploy_steps', result), {
        name: 'AgentFailure',
        message: /^The agent of node n1 answered something that is not its list of deploy steps: /,
      })
    })
  }
})
