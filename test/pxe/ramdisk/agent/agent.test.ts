/** The whole agent, as a process on a fake machine, against a fake Ironic that speaks the protocol. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { NVRAM_ARGSINFO } from '../../../../pxe/ramdisk/agent/commands/firmware-memory.ts'
import { type AgentProcess, cmdlineFor, startAgent } from './agent-process.ts'
import { configDrive, diskImage, readConfigDrive, sfdisk } from './disk-images.ts'
import {
  callAgent,
  type FakeIronic,
  fault,
  type HeartbeatBody,
  lookupBody,
  NODE_UUID,
  startIronic,
} from './fake-ironic.ts'
import { type FakeMachine, MAC, MIB, makeMachine } from './fake-machine.ts'
import { serve, sha256, startImageServer } from './image-server.ts'
import { inFolder } from './quick-folder.ts'

const ON_REQUEST = { priority: 0, interface: 'deploy', reboot_requested: false }

describe('the deploy agent', { timeout: 30_000 }, () => {
  let ironic: FakeIronic
  let machine: FakeMachine
  let agent: AgentProcess
  let first: HeartbeatBody
  const query = () => `agent_token=${ironic.token}`
  const command = (name: string, params: unknown, wait = true) =>
    callAgent(first, 'POST', `/v1/commands/?wait=${wait}&${query()}`, JSON.stringify({ name, params }))

  before(async () => {
    ironic = await startIronic({ lookups: [fault(404, 'Resource could not be found.')] })
    machine = await makeMachine({
      cmdline: cmdlineFor(
        ironic,
        'ipa-debug=1 ipa-agent-token=0123456789abcdef0123456789abcdef x=http://me:hush@host/',
      ),
      programs: { dmesg: 'echo the kernel speaks' },
    })
    agent = startAgent(machine)
    first = await ironic.heartbeat(1)
  })
  after(async () => {
    await agent[Symbol.asyncDispose]()
    await machine[Symbol.asyncDispose]()
    await ironic[Symbol.asyncDispose]()
  })

  it('asks for the version, then looks itself up by its MAC addresses until it is told', () => {
    const [discovery, refused, lookup] = ironic.calls

    assert.equal(discovery?.url, '/')
    assert.equal(refused?.url, `/v1/lookup?addresses=${encodeURIComponent(MAC)}`)
    assert.equal(lookup?.url, refused.url)
    assert.equal(lookup.headers['x-openstack-ironic-api-version'], '1.62')
  })

  it('tells the person in front of the machine what it does, and why it waits', async () => {
    assert.deepEqual((await machine.console()).split('\r\n').slice(0, 5), [
      `Rackstrap deploy agent 13.0.0+rackstrap.1, asking ${ironic.url}`,
      `Network card rack0 ${MAC} (virtio_net, link up, no address)`,
      `Lookup refused by ${ironic.url}: no node has a port with one of this machine's MAC addresses (${MAC}), or that node is not ` +
        'being deployed, cleaned or inspected. Create the port, or deploy the node; asking again.',
      `This machine is node ${NODE_UUID}`,
      `Waiting for commands at ${first.callback_url}`,
    ])
  })

  it('heartbeats with its token, its version and a certificate for its address', () => {
    const [call] = ironic.named(`/v1/heartbeat/${NODE_UUID}`)
    const certificate = new X509Certificate(first.agent_verify_ca ?? '')

    assert.equal(call?.headers['x-openstack-ironic-api-version'], '1.68')
    assert.match(first.callback_url, /^https:\/\/127\.0\.0\.1:\d+$/)
    assert.equal(first.agent_token, ironic.token)
    assert.equal(first.agent_version, '13.0.0+rackstrap.1')
    assert.equal(certificate.subjectAltName, 'IP Address:127.0.0.1')
  })

  it('tells its status to anyone, its commands only to the holder of the token', async () => {
    const status = await callAgent(first, 'GET', '/v1/status')
    const list = await callAgent(first, 'GET', `/v1/commands/?${query()}`)
    const refused = await callAgent(first, 'GET', '/v1/commands/?agent_token=guessed')
    const missing = await callAgent(first, 'POST', '/v1/commands/', '{"name":"standby.power_off","params":{}}')

    assert.equal(status.status, 200)
    assert.deepEqual(Object.keys(status.body), ['started_at', 'version'])
    assert.equal(list.status, 200)
    assert.ok(Array.isArray(list.body.commands))
    const fault = { faultcode: 'Client', faultstring: '401 Unauthorized: Token invalid.' }
    assert.deepEqual(refused, { status: 401, body: fault })
    assert.deepEqual(missing, { status: 401, body: fault })
  })

  for (const [what, body, status, faultstring] of [
    ['no JSON', 'x', 400, '400 Bad Request: The body is not JSON'],
    ['no params', '{"name":"standby.sync"}', 400, '400 Bad Request: Missing or invalid name or params'],
    [
      'no extension',
      '{"name":"sync","params":{}}',
      400,
      'Invalid command: Command name must be of the form <extension>.<name>',
    ],
    [
      'an unknown extension',
      '{"name":"iscsi.start","params":{}}',
      404,
      'Not found: Extension with id iscsi not found.',
    ],
    ['an unknown command', '{"name":"standby.fly","params":{}}', 400, 'Invalid command: Unknown command: fly'],
    [
      'a name of every object',
      '{"name":"constructor.name","params":{}}',
      404,
      'Not found: Extension with id constructor not found.',
    ],
    [
      'an image without an address',
      '{"name":"standby.prepare_image","params":{"image_info":{"id":"a"}}}',
      400,
      "Invalid command parameters: Image is missing 'urls' field.",
    ],
  ] as const) {
    it(`refuses a command with ${what} by status ${status}`, async () => {
      const answer = await callAgent(first, 'POST', `/v1/commands/?${query()}`, body)

      assert.deepEqual(answer, { status, body: { faultcode: 'Client', faultstring } })
    })
  }

  it('offers its steps with a version of its hardware manager', async () => {
    const { status, body } = await command('deploy.get_deploy_steps', { node: { uuid: NODE_UUID }, ports: [] })

    assert.equal(status, 200)
    assert.equal(body.command_name, 'get_deploy_steps')
    assert.equal(body.command_status, 'SUCCEEDED')
    assert.deepEqual(body.command_result, {
      deploy_steps: {
        GenericHardwareManager: [
          { step: 'erase_devices_metadata', ...ON_REQUEST },
          { step: 'clean_uefi_nvram', ...ON_REQUEST, argsinfo: NVRAM_ARGSINFO },
          { step: 'write_image', ...ON_REQUEST },
        ],
      },
      hardware_manager_version: { generic_hardware_manager: '1.2' },
    })
  })

  it('does not execute a step for another hardware manager than the one that was asked', async () => {
    const step = { interface: 'deploy', step: 'write_image', args: {} }
    const params = { step, node: { uuid: NODE_UUID }, ports: [], deploy_version: { generic_hardware_manager: '0.1' } }

    const { body } = await command('deploy.execute_deploy_step', params)

    assert.equal(body.command_status, 'CLEAN_VERSION_MISMATCH')
    assert.deepEqual(body.command_error, {
      type: 'VersionMismatch',
      code: 409,
      message: 'Hardware managers version mismatch, reload agent with correct version',
      details:
        'Current versions: {"generic_hardware_manager":"1.2"}, versions used by ironic: {"generic_hardware_manager":"0.1"}',
    })
  })

  it('writes an image with its config drive, is busy meanwhile, and heartbeats at once when it has ended', async () => {
    await using server = await startImageServer()
    const image = await diskImage('gpt')
    const { text } = await configDrive('#cloud-config\n')
    const release = Promise.withResolvers<void>()
    server.on('/a.raw', (request, response) => void release.promise.then(() => serve(image)(request, response)))
    const image_info = {
      id: 'a',
      urls: [`${server.url}/a.raw`],
      disk_format: 'raw',
      stream_raw_images: true,
      os_hash_algo: 'sha256',
      os_hash_value: sha256(image),
    }
    const step = { interface: 'deploy', step: 'write_image', args: { image_info, configdrive: text } }

    const started = await command(
      'deploy.execute_deploy_step',
      { step, node: {}, ports: [], deploy_version: null },
      false,
    )
    const busy = await command('standby.sync', {})
    const beats = ironic.named(`/v1/heartbeat/${NODE_UUID}`).length
    release.resolve()
    await ironic.heartbeat(beats + 1)
    const ended = await callAgent(first, 'GET', `/v1/commands/${started.body.id}?wait=true&${query()}`)

    assert.equal(started.body.command_status, 'RUNNING')
    assert.deepEqual(busy, {
      status: 409,
      body: { faultcode: 'Client', faultstring: 'Agent is busy: executing command execute_deploy_step' },
    })
    assert.equal(ended.body.command_status, 'SUCCEEDED', JSON.stringify(ended.body.command_error))
    const identifier = `0x${image.readUInt32LE(440).toString(16).padStart(8, '0')}`
    assert.deepEqual(ended.body.command_result, {
      deploy_result: { result: `prepare_image: image (a) written to device /dev/vda root_uuid=${identifier}` },
      deploy_step: step,
    })
    const start = (await sfdisk(machine, 'vda')).partitions[2]?.start ?? 0
    assert.equal(await readConfigDrive(machine, 'vda', start * 512), '#cloud-config\n')
    const uuids = await command('standby.get_partition_uuids', {})
    assert.deepEqual(uuids.body.command_result, { 'root uuid': identifier })
  })

  it('erases the metadata of all disks but those that the node keeps from it', async () => {
    const step = { interface: 'deploy', step: 'erase_devices_metadata', args: {} }
    const erase = (properties: unknown) =>
      command('clean.execute_clean_step', { step, node: { uuid: NODE_UUID, properties }, ports: [] })
    await machine.fill('vda', 0xaa, [[0, MIB]])

    const kept = await erase({ skip_block_devices: [{ name: '/dev/vda' }] })
    const before = await machine.read('vda', 0, MIB)
    const erased = await erase({})

    assert.deepEqual(kept.body.command_result, { clean_result: null, clean_step: step })
    assert.ok(before.equals(Buffer.alloc(MIB, 0xaa)))
    assert.equal(erased.body.command_status, 'SUCCEEDED')
    assert.ok((await machine.read('vda', 0, MIB)).equals(Buffer.alloc(MIB)))
    assert.match(await machine.console(), /Erasing partition tables and file system signatures of \/dev\/vda\r\n/)
  })

  it('tells a failed step in the API and on the screen, without secrets', async () => {
    const image_info = { id: 'a', urls: ['http://me:hush@127.0.0.1:1/a.raw?sig=hush'], checksum: '0'.repeat(64) }
    const step = { interface: 'deploy', step: 'write_image', args: { image_info } }

    const { status, body } = await command('deploy.execute_deploy_step', { step, node: {}, ports: [] })

    const details = 'Download of image a failed: http://127.0.0.1:1/a.raw?...: connect ECONNREFUSED 127.0.0.1:1.'
    assert.equal(status, 200)
    assert.equal(body.command_status, 'FAILED')
    assert.deepEqual(body.command_error, {
      type: 'ImageDownloadError',
      code: 500,
      message: 'Error downloading image',
      details,
    })
    assert.equal(body.command_result, null)
    const console = await machine.console()
    assert.ok(console.includes('Executing deploy step write_image\r\n'), console)
    assert.ok(console.includes(`FAILED execute_deploy_step: ${details}`), console)
    assert.ok(console.includes('Memory available: 614 MiB before write_image, 614 MiB at the least\r\n'), console)
    const log = await readFile(join(machine.root, 'var/log/agent.log'), 'utf8')
    for (const text of [console, log]) {
      assert.doesNotMatch(text, /hush/)
      assert.ok(!text.includes(ironic.token))
    }
  })

  it('sends its logs as a tar archive', async () => {
    const { body } = await command('log.collect_system_logs', {})

    const { system_logs } = body.command_result as { system_logs: string }
    const texts = await inFolder('logs-', async (folder) => {
      await writeFile(join(folder, 'logs.tar.gz'), Buffer.from(system_logs, 'base64'))
      await promisify(execFile)('tar', ['-xzf', 'logs.tar.gz'], { cwd: folder })
      const names = ['var/log/agent.log', 'proc/cmdline', 'inventory.json', 'dmesg']
      return Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
    })
    const [log = '', cmdline, inventory = '', dmesg] = texts
    assert.match(log, /This machine is node/)
    assert.equal(cmdline, `${cmdlineFor(ironic, 'ipa-debug=1 ipa-agent-token=*** x=http://***@host/')}\n`)
    assert.equal(JSON.parse(inventory).disks[0].name, '/dev/vda')
    assert.equal(dmesg, 'the kernel speaks\n')
    assert.ok(!texts.join().includes(ironic.token))
  })

  it('tells its hardware in the fields of ironic-python-agent', async () => {
    const { body } = await command('poll.get_hardware_info', {})

    const { interfaces, disks, memory, cpu } = body.command_result as Record<string, Record<string, unknown>[]>
    assert.equal(interfaces?.[0]?.mac_address, MAC)
    assert.equal(disks?.[0]?.by_path, '/dev/disk/by-path/pci-0000:00:04.0')
    assert.deepEqual(memory, { total: 1018088 * 1024, physical_mb: null })
    assert.equal((cpu as unknown as { model_name: string }).model_name, 'Steel 1')
  })

  it('switches the machine off after it has flushed its disks', async () => {
    const before = (await machine.calls()).length

    const { body } = await command('standby.power_off', {})

    assert.equal(body.command_status, 'SUCCEEDED')
    assert.deepEqual((await machine.calls()).slice(before), [
      'sync ',
      `blockdev --flushbufs ${machine.disk('vda')}`,
      'poweroff -f',
    ])
  })

  it('takes no more commands and leaves the network when it is locked down', async () => {
    const { body } = await command('system.lockdown', {})
    const { code } = await agent.exit()

    assert.equal(body.command_status, 'SUCCEEDED')
    assert.equal(code, 0)
    assert.equal((await machine.calls()).at(-1), 'ip link set rack0 down')
    assert.match(await machine.console(), /Locked down: the agent takes no more commands\./)
  })
})

describe('a deploy agent whose machine is in rescue', { timeout: 30_000 }, () => {
  it('answers, and ends: it takes no commands, and the network stays', async () => {
    await using ironic = await startIronic()
    const programs = { dropbear: '', dropbearkey: 'echo "Fingerprint: SHA256:abc"' }
    await using machine = await makeMachine({ cmdline: cmdlineFor(ironic), programs })
    await mkdir(join(machine.root, 'usr/sbin'))
    await writeFile(join(machine.root, 'usr/sbin/dropbear'), '')
    await mkdir(join(machine.root, 'etc'))
    await using agent = startAgent(machine)
    const first = await ironic.heartbeat(1)
    const params = { rescue_password: '$5$salt$hash', hashed: true }
    const body = JSON.stringify({ name: 'rescue.finalize_rescue', params })

    const answer = await callAgent(first, 'POST', `/v1/commands/?wait=true&agent_token=${ironic.token}`, body)
    const { code } = await agent.exit()

    assert.equal(answer.body.command_status, 'SUCCEEDED')
    assert.equal(code, 0)
    assert.ok(!(await machine.calls()).some((call) => call.startsWith('ip ')))
    assert.match(await machine.console(), /In rescue: ssh rescue@ADDRESS of this machine/)
  })
})

describe('a deploy agent that cannot go on', { timeout: 30_000 }, () => {
  it('says that nobody told it where Ironic is, and ends', async () => {
    await using machine = await makeMachine()
    await using agent = startAgent(machine)

    const { code, lastLine } = await agent.exit()

    assert.equal(code, 1)
    assert.equal(lastLine, 'The kernel parameter ipa-api-url names no Ironic API: there is nobody to ask what to do.')
  })

  it('never calls itself a node whose token another has, and leaves the network', async () => {
    await using ironic = await startIronic({ lookups: [{ status: 200, body: lookupBody('******') }] })
    await using machine = await makeMachine({ cmdline: cmdlineFor(ironic) })
    await using agent = startAgent(machine)

    const { code } = await agent.exit()

    assert.equal(code, 0)
    assert.deepEqual(ironic.named(`/v1/heartbeat/${NODE_UUID}`), [])
    assert.match(await machine.console(), /has given this node's agent token away already/)
    assert.deepEqual(await machine.calls(), ['ip link set rack0 down'])
  })

  it('for want of a disk says what it was looking for, at the screen and to Ironic', async () => {
    await using ironic = await startIronic()
    await using machine = await makeMachine({ cmdline: cmdlineFor(ironic), disks: [] })
    await using _agent = startAgent(machine)
    const heartbeat = await ironic.heartbeat(1)
    const image_info = { id: 'a', urls: ['http://127.0.0.1:1/a.raw'], checksum: '0'.repeat(64) }
    const params = { step: { interface: 'deploy', step: 'write_image', args: { image_info } }, node: {}, ports: [] }

    const { body } = await callAgent(
      heartbeat,
      'POST',
      `/v1/commands/?wait=true&agent_token=${ironic.token}`,
      JSON.stringify({ name: 'deploy.execute_deploy_step', params }),
    )

    const { type, details } = body.command_error as { type: string; details: string }
    assert.equal(type, 'DeviceNotFound')
    assert.match(details, /This machine has no disk that this kernel knows\. Check the disk controller/)
    assert.ok((await machine.console()).includes(details))
  })

  it('that was killed goes on with the token and the certificate of its boot', async () => {
    await using ironic = await startIronic()
    await using machine = await makeMachine({ cmdline: cmdlineFor(ironic) })
    let before: HeartbeatBody
    {
      await using _agent = startAgent(machine)
      before = await ironic.heartbeat(1)
    }
    await using again = await startIronic({ lookups: [{ status: 200, body: lookupBody('******') }] })
    await writeFile(join(machine.root, 'proc/cmdline'), cmdlineFor(again))

    await using _agent = startAgent(machine)
    const heartbeat = await again.heartbeat(1)

    assert.equal(heartbeat.agent_token, before.agent_token)
    assert.equal(heartbeat.agent_verify_ca, before.agent_verify_ca)
  })
})
