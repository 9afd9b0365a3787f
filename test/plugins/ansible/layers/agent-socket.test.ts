/** What playbooks may ask the agent on the same machine. */
import assert from 'node:assert/strict'
import { open, stat } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { listenForPlaybooks } from '../../../../plugins/ansible/layers/ssh/steps/agent-socket.ts'
import { stepAgent } from '../../../../pxe/ramdisk/agent/commands/layer-steps.ts'
import { agentOn } from '../../../pxe/ramdisk/agent/agent-context.ts'
import { configDrive, diskImage, readConfigDrive, sfdisk } from '../../../pxe/ramdisk/agent/disk-images.ts'
import { type FakeMachine, GIB, makeMachine } from '../../../pxe/ramdisk/agent/fake-machine.ts'

const DISKS = [
  { name: 'vda', size_bytes: 5 * GIB, serial: 'A1' },
  { name: 'vdb', size_bytes: 9 * GIB, serial: 'B2' },
]

async function socketOn(machine: FakeMachine, node: object = {}) {
  const server = await listenForPlaybooks(stepAgent({ ...agentOn(machine), node: { ...node } }))
  const socketPath = join(machine.root, 'run/rackstrap/agent.sock')
  return {
    socketPath,
    async ask(path: string, question: object = {}) {
      const sent = request({ socketPath, path, method: 'POST' }).end(JSON.stringify(question))
      const answer = await new Promise<import('node:http').IncomingMessage>((resolve, reject) =>
        sent.once('response', resolve).once('error', reject),
      )
      return { status: answer.statusCode, body: JSON.parse(await text(answer)) }
    },
    [Symbol.dispose]: () => void server.close(),
  }
}

describe('the socket of the agent for playbooks', () => {
  it('belongs to root alone', async () => {
    await using machine = await makeMachine()
    using socket = await socketOn(machine)

    assert.equal((await stat(socket.socketPath)).mode & 0o777, 0o600)
  })

  it('tells the root device, by the hints that are asked with or by those of the node', async () => {
    await using machine = await makeMachine({ disks: DISKS })
    using socket = await socketOn(machine, { properties: { root_device: { serial: 'B2' } } })
    const nameBy = async (hints: object) => (await socket.ask('/root-device', { hints })).body.name

    assert.equal(await nameBy({ size: '<= 5' }), '/dev/vda')
    assert.equal(await nameBy({}), '/dev/vdb')
    const { status, body } = await socket.ask('/root-device', { hints: { serial: 'C3' } })
    assert.equal(status, 400)
    assert.match(body.error, /No suitable device was found for deployment using these hints {"serial":"C3"}/)
  })

  it('tells no disk that the node says to skip', async () => {
    await using machine = await makeMachine({ disks: DISKS })
    using socket = await socketOn(machine, { properties: { skip_block_devices: [{ serial: 'A1' }] } })

    const { body } = await socket.ask('/erasable-disks')

    assert.deepEqual(
      body.map(({ name }: { name: string }) => name),
      ['/dev/vdb'],
    )
    assert.equal((await socket.ask('/root-device', { hints: { serial: 'A1' } })).status, 400)
  })

  it('writes a config drive to the end of the disk', async () => {
    await using machine = await makeMachine({ disks: DISKS })
    using socket = await socketOn(machine)
    {
      await using file = await open(machine.disk('vda'), 'r+')
      await file.write(await diskImage('dos'))
    }

    const answer = await socket.ask('/config-drive', { device: '/dev/vda', text: (await configDrive('hello')).text })

    assert.deepEqual(answer, { status: 200, body: { partition: 3 } })
    const { partitions } = await sfdisk(machine, 'vda')
    assert.equal(await readConfigDrive(machine, 'vda', (partitions[2]?.start ?? 0) * 512), 'hello')
  })

  it('refuses what it does not know', async () => {
    await using machine = await makeMachine()
    using socket = await socketOn(machine)

    assert.deepEqual(await socket.ask('/constructor'), {
      status: 400,
      body: { error: 'Nothing is asked at /constructor: /root-device, /erasable-disks, /config-drive are known.' },
    })
    assert.deepEqual(await socket.ask('/config-drive', { device: 1 }), {
      status: 400,
      body: { error: 'device and text are expected.' },
    })
  })
})
