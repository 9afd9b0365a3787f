/** Which agents are believed: the one that showed its certificate in its heartbeat, whatever its clock says. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { makeCertificate } from '../../../pxe/ramdisk/agent/protocol/certificate.ts'
import { stateFolder } from '../records/state-folder.ts'
import { type Answer, clientFor, command, json, nodeOf, startAgent, UUID } from './fake-agent.ts'

const signal = new AbortController().signal
const answer: Answer = (_asked, response) => json(response, { commands: [command('sync', 'RUNNING')] })
const certificateFor = (address: string, date = new Date()) => makeCertificate(address, date, 'P-256')
const unreachable = (url: string, reason: string) => ({
  name: 'AgentUnreachable',
  message:
    `Connection to agent failed: the agent running on node ${UUID} cannot be reached at ${url} ` +
    `for collecting the status of its commands: ${reason}`,
})

async function asks(t: TestContext, agent: Parameters<typeof nodeOf>[0], verify_ca = 'True'): Promise<string[]> {
  const commands = await clientFor(t, { verify_ca }).commands(nodeOf(agent), signal, 1)
  return commands.map(({ name }) => name)
}

describe('the certificate of an agent', { timeout: 20_000 }, () => {
  it('is believed when it is the one of its heartbeat', async (t) => {
    assert.deepEqual(await asks(t, await startAgent(t, answer)), ['sync'])
  })

  for (const [clock, date] of [
    ['of 1970', new Date('1970-01-02')],
    ['of 2049', new Date('2049-01-01')],
  ] as const) {
    it(`is believed then, though the machine has a clock ${clock}`, async (t) => {
      assert.deepEqual(await asks(t, await startAgent(t, answer, certificateFor('127.0.0.1', date))), ['sync'])
    })
  }

  it('is believed then, though the machine has another address by now', async (t) => {
    assert.deepEqual(await asks(t, await startAgent(t, answer, certificateFor('192.0.2.7'))), ['sync'])
  })

  it('is refused when it is another one, and nothing is sent', async (t) => {
    const agent = await startAgent(t, answer)
    const impostor = { url: agent.url, certificate: certificateFor('127.0.0.1').certificate }

    await assert.rejects(
      asks(t, impostor),
      unreachable(agent.url, 'its certificate is not the one of its heartbeat (DEPTH_ZERO_SELF_SIGNED_CERT)'),
    )
    assert.deepEqual(agent.asked, [])
  })

  it('is looked at again when the machine was started anew with another one', async (t) => {
    const [first, second] = [await startAgent(t, answer), await startAgent(t, answer)]
    const client = clientFor(t)
    await client.commands(nodeOf(first), signal, 1)

    await client.commands(nodeOf(second), signal, 1)
    const stale = client.commands(nodeOf({ url: second.url, certificate: first.certificate }), signal, 1)

    await assert.rejects(stale, /its certificate is not the one of its heartbeat/)
  })

  it('that cannot be read is refused', async (t) => {
    const agent = await startAgent(t, answer)

    await assert.rejects(asks(t, { url: agent.url, certificate: 'no certificate' }), {
      name: 'AgentFailure',
      message: /^agent_verify_ca holds no certificate: /,
    })
  })
})

describe('[agent] verify_ca', { timeout: 20_000 }, () => {
  it('True: an agent that brought no certificate needs one of a well-known authority', async (t) => {
    const { url } = await startAgent(t, answer)

    await assert.rejects(asks(t, { url }), unreachable(url, 'self-signed certificate'))
  })

  it('False: any certificate does', async (t) => {
    const { url } = await startAgent(t, answer)

    assert.deepEqual(await asks(t, { url }, 'False'), ['sync'])
  })

  it('a file: the certificate in it does', async (t) => {
    const { url, certificate = '' } = await startAgent(t, answer)
    const file = join(stateFolder(t), 'ca.pem')
    writeFileSync(file, certificate)

    assert.deepEqual(await asks(t, { url }, file), ['sync'])
  })

  it('a file that is not there is a fault of the configuration, in words', async (t) => {
    const { url } = await startAgent(t, answer)

    await assert.rejects(asks(t, { url }, '/not/there.pem'), {
      name: 'InvalidParameterValue',
      message:
        "Agent CA /not/there.pem is neither a file nor a boolean: ENOENT: no such file or directory, open '/not/there.pem'",
    })
  })

  it('is overridden by agent_verify_ca in driver_info of the node', async (t) => {
    const { url } = await startAgent(t, answer)
    const node = { ...nodeOf({ url }), driver_info: { agent_verify_ca: false } }

    const commands = await clientFor(t).commands(node, signal, 1)

    assert.equal(commands.length, 1)
  })

  it('does not matter to an agent on plain http', async (t) => {
    assert.deepEqual(await asks(t, await startAgent(t, answer, 'none')), ['sync'])
  })
})
