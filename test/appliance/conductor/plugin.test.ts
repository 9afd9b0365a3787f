/** What the conductor does for a deploy plugin, seen by plugins that are as odd as the contract lets them be. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { DeployPlugin, Options, SignOfLife, Task } from '../../../appliance/plugin-api/index.ts'
import { FakeAgent } from './fake-agent.ts'
import { DONE, deployed, pluginOf, withStep } from './odd-plugin.ts'
import { imagesOnPaper, MAC, startTrial } from './trial.ts'

const isGone = (pid: number) => {
  try {
    return !process.kill(pid, 0)
  } catch {
    // ESRCH: there is no such process.
    return true
  }
}

describe('deploy plugin', () => {
  it('whose failure repeats a secret does not bring it into last_error', async (t) => {
    const run = () =>
      Promise.reject(new Error('podman login --password=hunter2 failed at https://me:hunter3@quay.io/v2'))
    const { trial, uuid } = await deployed(t, withStep({ run }))

    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.equal(
      last_error,
      'Deploy step deploy.only failed: the deploy interface odd threw Error: podman login --password=****** failed at https://me:******@quay.io/v2',
    )
  })

  it('whose installer never reports is told of when [conductor] deploy_callback_timeout is over', async (t) => {
    const plugin = withStep({ run: async () => ({ wait: 'callback' }) })
    const { trial, uuid } = await deployed(t, plugin, { ini: '[conductor]\ndeploy_callback_timeout = 1\n' })

    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.equal(
      last_error,
      `Timeout reached while waiting for callback for node ${uuid} (step deploy.only, [conductor] deploy_callback_timeout 1 s): the installer on the machine did not report. Look at its screen.`,
    )
  })

  it('that is still at its validate after 30 s has refused, and holds nobody up', async (t) => {
    const plugin = pluginOf({ validate: () => new Promise(() => {}) })
    const trial = await startTrial(t, { plugins: [plugin] })
    const { uuid } = await trial.createNode()
    t.mock.timers.enable({ apis: ['setTimeout'] })

    const asked = trial.conductor.provision(uuid, { target: 'active' })
    const answered = asked.then(
      () => 'accepted',
      (error: Error) => error.message,
    )
    for (let tick = 0; tick < 400; tick++) {
      await new Promise((next) => setImmediate(next))
      t.mock.timers.tick(100)
    }
    t.mock.timers.reset()

    assert.equal(
      await answered,
      `Failed to validate deploy or power info for node ${uuid}. Error: The validate of deploy interface odd made no progress for 30 s.`,
    )
    assert.equal(trial.node(uuid).reservation, null)
  })

  it('is asked in this order: validate, prepare, its steps, cleanUp', async (t) => {
    const calls: string[] = []
    const note = async (name: string) => void calls.push(name)
    const plugin = pluginOf({
      validate: () => note('validate'),
      prepare: () => note('prepare'),
      cleanUp: () => note('cleanUp'),
      deploySteps: () =>
        [10, 90, 50].map((priority) => ({
          step: `at_${priority}`,
          priority,
          run: async () => {
            await note(`at_${priority}`)
            return DONE
          },
        })),
    })

    const { trial, uuid } = await deployed(t, plugin)
    await trial.untilState(uuid, 'active')

    assert.deepEqual(calls, ['validate', 'prepare', 'at_90', 'at_50', 'at_10', 'cleanUp'])
  })

  it('that throws fails the deploy with what it threw, and is still asked to clean up', async (t) => {
    let cleaned = 0
    const plugin = withStep(
      { run: async (task) => Promise.reject(task.failure('the disk array is on fire')) },
      { cleanUp: async () => void cleaned++ },
    )

    const { trial, uuid } = await deployed(t, plugin)
    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.equal(last_error, 'Deploy step deploy.only failed: the disk array is on fire')
    assert.equal(cleaned, 1)
  })

  it('that throws in prepare fails the deploy, too', async (t) => {
    const plugin = pluginOf({ prepare: () => Promise.reject(new TypeError('x is undefined')) })

    const { trial, uuid } = await deployed(t, plugin)

    assert.equal(
      (await trial.untilState(uuid, 'deploy failed')).last_error,
      'Preparing the deploy failed: the deploy interface odd threw TypeError: x is undefined',
    )
  })

  it('that cannot clean up does not spoil a deploy', async (t) => {
    const plugin = pluginOf({ cleanUp: () => Promise.reject(new Error('no luck')) })

    const { trial, uuid } = await deployed(t, plugin)

    await trial.untilState(uuid, 'active')
    await trial.untilLine('plugin did not clean up', { reason: 'the deploy interface odd threw Error: no luck' })
  })

  it('that hangs, and heeds no signal, is failed when it makes no progress', async (t) => {
    const plugin = withStep({ run: () => new Promise(() => {}) })

    const { trial, uuid } = await deployed(t, plugin, { ini: '[conductor]\ndeploy_callback_timeout = 1\n' })
    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.equal(last_error, 'Deploy step deploy.only failed: the deploy interface odd made no progress for 1 s.')
  })

  it('that takes long, and tells of its progress, is left to its work', async (t) => {
    const plugin = withStep({
      async run(task) {
        for (let done = 1; done <= 7; done++) {
          await pause(200, undefined, { signal: task.signal })
          task.progress({ note: 'counting', done, total: 7 })
        }
        return DONE
      },
    })

    const { trial, uuid } = await deployed(t, plugin, { ini: '[conductor]\ndeploy_callback_timeout = 1\n' })

    await trial.untilState(uuid, 'active')
    await trial.untilLine('progress', { note: 'counting', done: 7, total: 7 })
  })

  it('keeps what it wants to know later in its task, until the deploy has ended', async (t) => {
    const seen: unknown[] = []
    const plugin = withStep({
      async run(task) {
        await task.keep({ disk: '/dev/sda' })
        await task.keep({ size: 7 })
        seen.push({ ...task.kept })
        return DONE
      },
    })
    plugin.cleanUp = async (task) => void seen.push({ ...task.kept })

    const { trial, uuid } = await deployed(t, plugin)
    const { driver_internal_info } = await trial.untilState(uuid, 'active')

    assert.deepEqual(seen, [
      { disk: '/dev/sda', size: 7 },
      { disk: '/dev/sda', size: 7 },
    ])
    assert.deepEqual(driver_internal_info, {})
  })

  it('gets its options with the overrides of the node, and a wrong one is refused', async (t) => {
    const options = {
      speed: {
        section: 'odd',
        help: '',
        type: 'integer',
        default: 1,
        min: 1,
        perNode: ['driver_info', 'instance_info'],
      },
      loud: { section: 'odd', help: '', type: 'boolean', default: false, perNode: ['instance_info'] },
      way: { section: 'odd', help: '', type: 'string', perNode: ['instance_info'], perNodeName: 'odd_way' },
      fixed: { section: 'odd', help: '', type: 'string', default: 'x' },
    } as const satisfies Options
    const seen: unknown[] = []
    const plugin = pluginOf({ options, validate: async (task) => void seen.push(task.options) })
    const trial = await startTrial(t, { plugins: [plugin] })
    const { uuid } = await trial.createNode({
      driver_info: { speed: '5', fixed: 'not yours' },
      instance_info: { speed: 9, loud: 'True', way: 'not this one', odd_way: 'up' },
    })
    const wrong = await trial.createNode({ instance_info: { speed: '0' } }, null)

    await trial.conductor.provision(uuid, { target: 'active' })

    assert.deepEqual(seen, [{ speed: 9, loud: true, way: 'up', fixed: 'x' }])
    await assert.rejects(trial.conductor.provision(wrong.uuid, { target: 'active' }), {
      message: `Failed to validate deploy or power info for node ${wrong.uuid}. Error: instance_info/speed of node ${wrong.uuid} is "0": expected a whole number from 1.`,
    })
  })

  it('has programs run without a shell, in a clean environment, and hears what they say when they fail', async (t) => {
    const lines: string[] = []
    const program = "console.log(Object.keys(process.env).sort().join()); console.error('no disk'); process.exit(3)"
    const plugin = withStep({
      async run(task) {
        await task.exec(process.execPath, ['-e', program, '$(id)'], {
          env: { A: '1' },
          onLine: (line) => lines.push(line),
        })
        return DONE
      },
    })

    const { trial, uuid } = await deployed(t, plugin)
    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.deepEqual(lines.sort(), ['A,LANG,PATH,RACKSTRAP_TASK', 'no disk'])
    assert.equal(last_error, `Deploy step deploy.only failed: ${process.execPath} failed: exit status 3: no disk`)
  })

  it('gives a program what is secret by its standard input, and neither command line nor log has it', async (t) => {
    const seen: string[] = []
    const program = `
      const given = require('node:fs').readFileSync(0)
      console.log(given.length, require('node:fs').readFileSync('/proc/self/cmdline').includes('hunter' + 2))
      process.exit(Number(process.argv[1]))`
    const plugin = withStep({
      async run(task) {
        // More than a pipe holds, for a program that reads none of it.
        await task.exec('true', [], { input: 'hunter2'.repeat(100_000) })
        const onLine = (line: string) => seen.push(line)
        await task.exec(process.execPath, ['-e', program, '0'], { input: 'hunter2\n', onLine })
        await task.exec(process.execPath, ['-e', program, '4'], { input: Buffer.from('hunter2\0\n'), onLine })
        return DONE
      },
    })

    const { trial, uuid } = await deployed(t, plugin)
    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.deepEqual(seen, ['8 false', '9 false'])
    assert.match(last_error ?? '', /exit code 4/)
    assert.doesNotMatch(JSON.stringify([trial.lines, last_error, trial.node(uuid)]), /hunter2/)
  })

  it('reads booleans as Ironic does, and what its node says in extra', async (t) => {
    const seen: unknown[] = []
    const plugin = withStep({
      async run(task) {
        seen.push(task.node.extra, Object.isFrozen(task.node.extra))
        seen.push(['Yes', 0, true, 'maybe', [true], undefined].map(task.readBoolean))
        return DONE
      },
    })
    const trial = await startTrial(t, { plugins: [plugin] })
    const { uuid } = await trial.createNode({ extra: { rack: 'r7' } })

    await trial.conductor.provision(uuid, { target: 'active' })
    await trial.untilState(uuid, 'active')

    assert.deepEqual(seen, [{ rack: 'r7' }, true, [true, false, true, undefined, undefined, undefined]])
  })

  it('has its step called off, and its programs killed, when the image cannot be had', async (t) => {
    const { promise, reject } = Promise.withResolvers<never>()
    const started = Promise.withResolvers<string>()
    const images = imagesOnPaper({ resolve: () => promise })
    const plugin = withStep({
      async run(task) {
        const forever = 'console.log(process.pid); setInterval(() => {}, 1000)'
        await task.exec(process.execPath, ['-e', forever], { onLine: (line) => started.resolve(line) })
        return DONE
      },
    })
    plugin.prepare = async (task) => task.images.prefetch()

    const { trial, uuid } = await deployed(t, plugin, { images })
    const pid = Number(await started.promise)
    reject(new Error('404'))
    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.equal(last_error, `The image of node ${uuid} cannot be had: 404`)
    await trial.until('end of the program', () => isGone(pid))
  })
})

describe('step that waits for an installer', () => {
  const installing = (signs: SignOfLife[] = []): DeployPlugin =>
    withStep({
      async run(task) {
        await task.keep({ url: task.callback.url, token: await task.callback.token() })
        return { wait: 'callback', note: 'the installer runs' }
      },
      async resume(_task, sign) {
        signs.push(sign)
        if (sign.from !== 'callback') throw new Error('nobody else was to call')
        if (sign.status === 'error') throw new Error(`the installer says: ${sign.message}`)
        return sign.status === 'end' ? DONE : { wait: 'callback' }
      },
    })
  const report = (agent_token: unknown, agent_status: string, agent_status_message?: string) => ({
    callback_url: '',
    agent_token: String(agent_token),
    agent_status,
    ...(agent_status_message ? { agent_status_message } : {}),
  })

  async function waiting(t: TestContext, signs?: SignOfLife[]) {
    const { trial, uuid } = await deployed(t, installing(signs))
    const { driver_internal_info } = await trial.untilState(uuid, 'wait call-back')
    const { url, token } = driver_internal_info.deploy_kept as { url: string; token: string }
    return { trial, uuid, url, token }
  }

  it('goes on from start to end', async (t) => {
    const signs: SignOfLife[] = []
    const { trial, uuid, url, token } = await waiting(t, signs)

    await trial.conductor.heartbeat(uuid, report(token, 'start'))
    await trial.until('start', () => signs.length === 1)
    await trial.untilState(uuid, 'wait call-back')
    await trial.conductor.heartbeat(uuid, report(token, 'end'))
    await trial.untilState(uuid, 'active')

    assert.equal(url, `http://172.22.0.1:6385/v1/heartbeat/${uuid}`)
    assert.deepEqual(signs, [
      { from: 'callback', status: 'start' },
      { from: 'callback', status: 'end' },
    ])
  })

  it('fails with what the installer says', async (t) => {
    const { trial, uuid, token } = await waiting(t)

    await trial.conductor.heartbeat(uuid, report(token, 'error', 'no space left'))

    assert.equal(
      (await trial.untilState(uuid, 'deploy failed')).last_error,
      'Deploy step deploy.only failed: the deploy interface odd threw Error: the installer says: no space left',
    )
  })

  it('takes no report without its token', async (t) => {
    const { trial, uuid } = await waiting(t)

    await assert.rejects(trial.conductor.heartbeat(uuid, report('guessed', 'end')), { code: 400 })
    assert.equal(trial.node(uuid).provision_state, 'wait call-back')
  })
})

describe('step with a resume of its own', () => {
  it('is called for each heartbeat, also while the command runs, and once more at its end', async (t) => {
    const signs: (string | undefined)[] = []
    const { promise: written, resolve } = Promise.withResolvers<void>()
    const plugin = pluginOf({
      usesAgent: true,
      deploySteps: (kit) => [
        ...kit.agentFlow(),
        {
          step: 'write',
          priority: 80,
          run: (task: Task) => task.agent.execute({ interface: 'deploy', step: 'write_image', args: {} }),
          async resume(_task, sign) {
            const status = sign.from === 'agent' ? sign.command?.status : undefined
            signs.push(status)
            return status === 'SUCCEEDED' ? DONE : { wait: 'agent-command' }
          },
        },
      ],
    })
    const agent = new FakeAgent({ mac: MAC, onStep: () => written })
    t.after(() => agent.close())

    const { trial, uuid } = await deployed(t, plugin)
    await trial.untilState(uuid, 'wait call-back')
    await agent.boot(trial.conductor)
    await trial.untilLine('step started', { step: 'write' })
    await trial.untilState(uuid, 'wait call-back')
    await agent.beat(trial.conductor)
    await trial.until('resume', () => signs.length > 0)
    resolve()
    await trial.untilState(uuid, 'active')

    assert.deepEqual([signs[0], signs.at(-1)], ['RUNNING', 'SUCCEEDED'])
  })
})
