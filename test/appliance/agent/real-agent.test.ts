/** The appliance's own client in conversation with the real agent, as in a deploy. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { AgentBusy, type AgentClient, AgentUnreachable, createAgentClient } from '../../../appliance/agent/client.ts'
import { type Command, parseSteps } from '../../../appliance/agent/commands.ts'
import { checkHeartbeat, recordOf } from '../../../appliance/agent/heartbeat.ts'
import { AgentFailure } from '../../../appliance/errors.ts'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { type AgentProcess, cmdlineFor, startAgent } from '../../pxe/ramdisk/agent/agent-process.ts'
import { diskImage } from '../../pxe/ramdisk/agent/disk-images.ts'
import { type FakeIronic, type HeartbeatBody, NODE_UUID, startIronic } from '../../pxe/ramdisk/agent/fake-ironic.ts'
import { type FakeMachine, MIB, makeMachine } from '../../pxe/ramdisk/agent/fake-machine.ts'
import { serve, sha256, startImageServer } from '../../pxe/ramdisk/agent/image-server.ts'
import { nodeOnPaper } from '../hardware/node-on-paper.ts'
import { LOOPBACK_REACH } from '../loopback-reach.ts'

const POLL_MS = 20
const DEADLINE_MS = 10_000

describe("the appliance's client and the agent", { timeout: 30_000 }, () => {
  let ironic: FakeIronic
  let machine: FakeMachine
  let agent: AgentProcess
  let heartbeat: HeartbeatBody
  let client: AgentClient
  let node: Node
  let image: Buffer
  const signal = () => AbortSignal.timeout(DEADLINE_MS)

  before(async () => {
    ironic = await startIronic()
    machine = await makeMachine({ cmdline: cmdlineFor(ironic) })
    agent = startAgent(machine)
    client = createAgentClient({
      command_timeout_s: 10,
      max_command_attempts: 2,
      verify_ca: 'True',
      reach: LOOPBACK_REACH,
      retry_pause_ms: 10,
    })
    image = await diskImage('gpt')
    heartbeat = await ironic.heartbeat(1)
    node = nodeOnPaper({
      uuid: NODE_UUID,
      driver_internal_info: { agent_secret_token: ironic.token, ...recordOf(heartbeat, new Date()) },
    })
  })
  after(async () => {
    await client.close()
    await agent[Symbol.asyncDispose]()
    await machine[Symbol.asyncDispose]()
    await ironic[Symbol.asyncDispose]()
  })

  const writeStep = (url: string, os_hash_value: string) => ({
    step: {
      interface: 'deploy',
      step: 'write_image',
      args: { image_info: { id: 'a', urls: [url], disk_format: 'raw', os_hash_algo: 'sha256', os_hash_value } },
    },
    node: { uuid: NODE_UUID, properties: {}, instance_info: {} },
    ports: [],
    deploy_version: { generic_hardware_manager: '1.2' },
  })

  /** Asks until the newest command is as wanted. */
  async function newest(isWanted: (command: Command) => boolean): Promise<Command> {
    const until = signal()
    for (;;) {
      const command = (await client.commands(node, until)).at(-1)
      if (command && isWanted(command)) return command
      await pause(POLL_MS, undefined, { signal: until })
    }
  }

  it('takes the heartbeat with TLS required', () => {
    assert.doesNotThrow(() => checkHeartbeat(node, heartbeat, { require_tls: true }))
  })

  it('learns the deploy steps and their version', async () => {
    const { result } = await client.run(
      node,
      'deploy.get_deploy_steps',
      { node: {}, ports: [] },
      { wait: true, signal: signal() },
    )

    const { steps, version } = parseSteps(node.uuid, 'deploy_steps', result)
    assert.deepEqual(
      steps.map(({ step, priority }) => [step, priority]),
      [
        ['erase_devices_metadata', 0],
        ['clean_uefi_nvram', 0],
        ['write_image', 0],
      ],
    )
    assert.deepEqual(version, { generic_hardware_manager: '1.2' })
  })

  it('sees the progress of a step in bytes, is told to come back later, and finds its result', async () => {
    await using server = await startImageServer()
    const release = Promise.withResolvers<void>()
    server.on('/a.raw', (request, response) => {
      response.writeHead(200, { 'content-length': String(image.length) })
      response.write(image.subarray(0, 2 * MIB))
      void release.promise.then(() => response.end(image.subarray(2 * MIB)))
      request.resume()
    })
    const params = writeStep(`${server.url}/a.raw`, sha256(image))

    const started = await client.run(node, 'deploy.execute_deploy_step', params, { wait: false, signal: signal() })
    const halfWay = await newest(({ progress }) => (progress?.done ?? 0) > 0)
    const busy = client.run(node, 'standby.sync', {}, { wait: true, signal: signal() })
    await assert.rejects(busy, AgentBusy)
    release.resolve()
    const ended = await newest(({ status }) => status !== 'RUNNING')

    assert.equal(started.status, 'RUNNING')
    assert.equal(halfWay.progress?.note, 'writing image to /dev/vda')
    assert.equal(halfWay.progress?.total, image.length)
    assert.equal(halfWay.progress?.unit, 'bytes')
    assert.equal(ended.id, started.id)
    assert.equal(ended.status, 'SUCCEEDED', ended.error)
    assert.equal(ended.progress, undefined)
    assert.match(JSON.stringify(ended.result), /image \(a\) written to device \/dev\/vda/)
  })

  it('finds the one sentence of a step that failed', async () => {
    await using server = await startImageServer()
    server.on('/a.raw', serve(image))
    const params = writeStep(`${server.url}/a.raw`, '0'.repeat(64))

    await client.run(node, 'deploy.execute_deploy_step', params, { wait: false, signal: signal() })
    const ended = await newest(({ status }) => status !== 'RUNNING')

    assert.equal(ended.status, 'FAILED')
    assert.match(ended.error ?? '', /^Image failed to verify against checksum\. location: http/)
  })

  it('fails a command that the agent does not know', async () => {
    await assert.rejects(
      client.run(node, 'standby.fly', {}, { wait: true, signal: signal() }),
      (error) =>
        error instanceof AgentFailure &&
        error.message ===
          `Agent API for node ${NODE_UUID} returned HTTP status code 400 with error: Invalid command: Unknown command: fly`,
    )
  })

  it('is refused with another token', async () => {
    const stranger = { ...node, driver_internal_info: { ...node.driver_internal_info, agent_secret_token: 'guessed' } }

    await assert.rejects(
      client.commands(stranger, signal()),
      /returned HTTP status code 401 with error: 401 Unauthorized: Token invalid\./,
    )
  })

  it('has the disks flushed and the machine switched off', async () => {
    const sync = await client.run(node, 'standby.sync', {}, { wait: true, signal: signal() })
    await client.run(node, 'standby.power_off', {}, { wait: false, signal: signal() })
    const off = await newest(({ name, status }) => name === 'power_off' && status !== 'RUNNING')

    assert.equal(sync.status, 'SUCCEEDED')
    assert.equal(off.status, 'SUCCEEDED')
    assert.equal((await machine.calls()).at(-1), 'poweroff -f')
  })

  it('cannot reach an agent that is gone', async () => {
    await agent[Symbol.asyncDispose]()

    await assert.rejects(client.commands(node, signal()), AgentUnreachable)
  })
})
