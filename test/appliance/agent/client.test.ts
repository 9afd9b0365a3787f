/** Calls to an agent: what goes over the wire, and what becomes of every answer that an agent can give. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AgentBusy, AgentUnreachable } from '../../../appliance/agent/client.ts'
import { AgentFailure } from '../../../appliance/errors.ts'
import { clientFor, command, json, nodeOf, startAgent, TOKEN, UUID } from './fake-agent.ts'

const signal = new AbortController().signal
const SECONDS = { timeout: 20_000 }

describe('a command to the agent', SECONDS, () => {
  it('is posted with the token, and its answer is told in words of the contract', async (t) => {
    const agent = await startAgent(t, (_asked, response) =>
      json(response, command('sync', 'SUCCEEDED', { command_result: { done: true } })),
    )

    const answer = await clientFor(t).run(nodeOf(agent), 'standby.sync', { a: 1 }, { wait: true, signal })

    assert.deepEqual(answer, { id: 'id of sync', name: 'sync', status: 'SUCCEEDED', result: { done: true } })
    assert.deepEqual(agent.asked, [
      {
        method: 'POST',
        path: '/v1/commands/',
        query: { wait: 'true', agent_token: TOKEN },
        body: { name: 'standby.sync', params: { a: 1 } },
      },
    ])
  })

  it('that failed is an error with the reason of the agent', async (t) => {
    const error = { type: 'ImageDownloadError', code: 500, message: 'Error downloading', details: 'no route to host' }
    const agent = await startAgent(t, (_asked, response) =>
      json(response, command('write_image', 'FAILED', { command_error: error })),
    )

    await assert.rejects(clientFor(t).run(nodeOf(agent), 'deploy.write_image', {}, { wait: true, signal }), {
      name: 'AgentFailure',
      message: `Agent command deploy.write_image failed on node ${UUID}: no route to host`,
    })
  })

  it('to an agent at work is refused as busy, and not asked again', async (t) => {
    const agent = await startAgent(t, (_asked, response) =>
      json(response, { faultcode: 'Client', faultstring: 'Agent is busy' }, 409),
    )

    await assert.rejects(
      clientFor(t).run(nodeOf(agent), 'standby.sync', {}, { wait: true, signal }),
      (error: Error) => {
        assert.ok(error instanceof AgentBusy)
        assert.equal(
          error.message,
          `Node ${UUID} command "standby.sync" failed. Agent is presently executing a command. Error Agent is busy`,
        )
        return true
      },
    )
    assert.equal(agent.asked.length, 1)
  })

  for (const [status, body, text] of [
    [401, { faultstring: 'Invalid token.' }, 'Invalid token.'],
    [400, { faultstring: 'Unknown extension: nope' }, 'Unknown extension: nope'],
    [500, {}, 'it gave no reason'],
    [404, { faultstring: { nested: true } }, 'it gave no reason'],
  ] as const) {
    it(`answered with ${status} is an error with the fault (${text})`, async (t) => {
      const agent = await startAgent(t, (_asked, response) => json(response, body, status))

      await assert.rejects(clientFor(t).run(nodeOf(agent), 'nope.nope', {}, { wait: false, signal }), {
        name: 'AgentFailure',
        code: 502,
        message: `Agent API for node ${UUID} returned HTTP status code ${status} with error: ${text}`,
      })
      assert.equal(agent.asked.length, 1)
    })
  }

  it('whose answer was lost is found running, and not given twice', async (t) => {
    const agent = await startAgent(t, ({ method }, response, request) => {
      if (method === 'POST') request.socket.destroy()
      else
        json(response, { commands: [command('write_image', 'FAILED'), command('write_image', 'RUNNING', { id: '7' })] })
    })

    const answer = await clientFor(t).run(nodeOf(agent), 'deploy.write_image', {}, { wait: false, signal })

    assert.deepEqual([answer.id, answer.status], ['7', 'RUNNING'])
    assert.deepEqual(
      agent.asked.map(({ method }) => method),
      ['POST', 'GET'],
    )
  })

  it('that did not come through is given again', async (t) => {
    let posts = 0
    const agent = await startAgent(t, ({ method }, response, request) => {
      if (method === 'GET') json(response, { commands: [command('sync', 'SUCCEEDED')] })
      else if (++posts === 1) request.socket.destroy()
      else json(response, command('sync', 'RUNNING'))
    })

    const answer = await clientFor(t).run(nodeOf(agent), 'standby.sync', {}, { wait: false, signal })

    assert.equal(answer.status, 'RUNNING')
    assert.equal(posts, 2)
  })
})

describe('an agent that cannot be reached', SECONDS, () => {
  it('is tried as often as [agent] max_command_attempts says, and then told with its address', async (t) => {
    const agent = await startAgent(t, (_asked, _response, request) => request.socket.destroy())

    await assert.rejects(clientFor(t).commands(nodeOf(agent), signal), (error: Error) => {
      assert.ok(error instanceof AgentUnreachable)
      assert.equal(
        error.message,
        `Connection to agent failed: the agent running on node ${UUID} cannot be reached at ${agent.url} ` +
          'for collecting the status of its commands: other side closed',
      )
      return true
    })
    assert.equal(agent.asked.length, 3)
  })

  it('because nobody listens is told so', async (t) => {
    const node = nodeOf({ url: 'http://127.0.0.1:9' })

    await assert.rejects(clientFor(t).commands(node, signal, 1), {
      name: 'AgentUnreachable',
      message:
        `Connection to agent failed: the agent running on node ${UUID} cannot be reached at http://127.0.0.1:9 ` +
        'for collecting the status of its commands: connect ECONNREFUSED 127.0.0.1:9',
    })
  })

  for (const [how, answer] of [
    ['says nothing', () => {}],
    [
      'stops in the middle of its answer',
      (response: import('node:http').ServerResponse) => void response.write('{"co'),
    ],
  ] as const) {
    it(`because it ${how} is given up after [agent] command_timeout`, async (t) => {
      const agent = await startAgent(t, (_asked, response) => answer(response))

      await assert.rejects(clientFor(t, { command_timeout_s: 0.2 }).commands(nodeOf(agent), signal, 1), {
        name: 'AgentUnreachable',
        message:
          `Connection to agent failed: the agent running on node ${UUID} cannot be reached at ${agent.url} ` +
          'for collecting the status of its commands: no answer within 0.2 s',
      })
    })
  }

  it('drips an answer without an end is given up after [agent] command_timeout, too', async (t) => {
    const agent = await startAgent(t, (_asked, response) => {
      const drip = setInterval(() => response.write(' '), 20)
      response.on('close', () => clearInterval(drip))
    })

    await assert.rejects(
      clientFor(t, { command_timeout_s: 0.3 }).commands(nodeOf(agent), signal, 1),
      /: no answer within 0\.3 s$/,
    )
  })

  it('is left alone as soon as the task is aborted, with the reason of the abort', async (t) => {
    const abort = new AbortController()
    const agent = await startAgent(t, () => abort.abort(new Error('deploy was aborted')))

    await assert.rejects(clientFor(t).commands(nodeOf(agent), abort.signal), { message: 'deploy was aborted' })
    assert.equal(agent.asked.length, 1)
  })

  it('has not told its address before its first heartbeat', async (t) => {
    await assert.rejects(clientFor(t, { max_command_attempts: 1 }).commands(nodeOf({ url: '' }), signal), {
      name: 'AgentUnreachable',
      message: `The agent of node ${UUID} has not told its address yet`,
    })
  })

  it('never has its token in the error, nor in what caused it', async (t) => {
    const agent = await startAgent(t, (_asked, _response, request) => request.socket.destroy())

    const error = await clientFor(t)
      .run(nodeOf(agent), 'standby.sync', {}, { wait: true, signal })
      .catch((failure: Error) => failure)

    const { inspect } = await import('node:util')
    assert.ok(error instanceof AgentFailure)
    assert.doesNotMatch(inspect(error, { depth: 10 }), new RegExp(TOKEN))
  })
})

describe('an answer of the agent', SECONDS, () => {
  it('is taken up to 4 MiB, and no byte further', async (t) => {
    let closed = false
    const agent = await startAgent(t, (_asked, response) => {
      response.on('close', () => (closed = true))
      const more = () => {
        while (!closed && response.write(Buffer.alloc(256 * 1024, 0x20)));
        if (!closed) response.once('drain', more)
      }
      more()
    })

    await assert.rejects(clientFor(t).commands(nodeOf(agent), signal), {
      name: 'AgentFailure',
      message: `The agent of node ${UUID} answered more than 4194304 bytes`,
    })
    assert.equal(agent.asked.length, 1)
  })

  for (const [what, text] of [
    ['a web page', '<html>hello</html>'],
    ['null', 'null'],
    ['a number', '7'],
    ['empty', ''],
  ] as const) {
    it(`that is ${what} is refused`, async (t) => {
      const agent = await startAgent(t, (_asked, response) => void response.end(text))

      await assert.rejects(clientFor(t).commands(nodeOf(agent), signal), {
        name: 'AgentFailure',
        message:
          `The agent of node ${UUID} answered collecting the status of its commands with HTTP status code 200 ` +
          `and ${text.length} characters that are not a JSON object.`,
      })
    })
  }
})
