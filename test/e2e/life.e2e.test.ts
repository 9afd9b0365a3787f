/**
 * Machines with NVMe disks, on real parts: one is erased by its own format and burned in while it is cleaned, the other
 * worked while it is in service, and entered by ssh with a password in a rescue.
 */
import assert from 'node:assert/strict'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { bmcArguments, DEFAULT_DRIVER } from '../rack/node-fields.ts'
import type { Rack } from '../rack/rack.ts'
import { run } from '../rack/run-program.ts'
import type { Machine } from '../rack/steel/machine.ts'
import { DEPLOY_DEADLINE_MS, PREPARE_DEADLINE_MS, rackFor, showNode } from './racks.ts'

const MIB = 1024 ** 2
/** A smaller one is no root device, for which the agent would wait. */
const DISK_BYTES = 4096 * MIB
const STATE_DEADLINE_S = 240
const CONFIG = { DEFAULT: { enabled_rescue_interfaces: 'agent, no-rescue' } }
const PASSWORD = 'open sesame 7'
/** Found on the disk file from outside. */
const SECRET = Buffer.from('what the last tenant left behind ')

/** From one end of the disk to the other. */
const places = [0, MIB, DISK_BYTES / 2, DISK_BYTES - MIB]

async function fill({ disk }: Machine): Promise<void> {
  await using file = await open(disk, 'r+')
  for (const at of places) await file.write(Buffer.alloc(MIB, SECRET), 0, MIB, at)
}

async function holdsSecret({ disk }: Machine): Promise<boolean[]> {
  await using file = await open(disk)
  return Promise.all(
    places.map(async (at) => (await file.read(Buffer.alloc(MIB), 0, MIB, at)).buffer.includes(SECRET.subarray(0, 16))),
  )
}

/** A node that is manageable, and its machine. */
type Enrolled = { rack: Rack; name: string; uuid: string; machine: Machine }

async function enrolled(rack: Rack, index: number, ...driver_info: string[]): Promise<Enrolled> {
  const machine = rack.hardware.machines[index]
  assert.ok(machine)
  const { name } = machine
  await rack.baremetal(
    ...['node', 'create', '--name', name, '--driver', DEFAULT_DRIVER, '--deploy-interface', 'direct'],
    ...['--rescue-interface', 'agent', ...bmcArguments(index, DEFAULT_DRIVER)],
    ...driver_info.flatMap((info) => ['--driver-info', info]),
  )
  const uuid = String((await showNode(rack, name)).uuid)
  await rack.baremetal('port', 'create', machine.options.mac, '--node', uuid)
  const node = { rack, name, uuid, machine }
  await reaches(node, 'manageable', () => rack.baremetal('node', 'manage', name))
  return node
}

async function reaches({ rack, uuid }: Enrolled, state: string, ask: () => Promise<unknown>): Promise<void> {
  const from = rack.appliance.lines.length
  await ask()
  const line = await rack.appliance.waitFor(
    `${state}, or a failure`,
    ({ message, node, to }) =>
      message === 'provision state changed' && node === uuid && (to === state || /fail|error/.test(String(to))),
    { timeout_s: STATE_DEADLINE_S, from },
  )
  assert.equal(line.to, state, JSON.stringify(line))
}

const steps = (...names: string[]) => JSON.stringify(names.map((step) => ({ interface: 'deploy', step })))

/** What the appliance's DHCP server gave it last. */
const addressOf = ({ appliance }: Rack, { options: { mac } }: Machine) =>
  String(appliance.lines.findLast(({ message, mac: of }) => message === 'dhcp lease' && of === mac)?.ip)

/** ssh asks a program for the password when it is told to. */
async function ssh(t: TestContext, rack: Rack, address: string, password: string, command: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rackstrap-rescue-'))
  t.after(() => rm(folder, { recursive: true }))
  const ask = join(folder, 'ask')
  await writeFile(ask, `#!/bin/sh\necho '${password}'\n`, { mode: 0o700 })
  const options = ['StrictHostKeyChecking=no', `UserKnownHostsFile=${folder}/hosts`, 'NumberOfPasswordPrompts=1']
  const [enter = '', ...before] = rack.hardware.network.enter
  const args = [...before, 'ssh', ...options.flatMap((option) => ['-o', option]), `rescue@${address}`, command]
  const env = { ...process.env, SSH_ASKPASS: ask, SSH_ASKPASS_REQUIRE: 'force', DISPLAY: 'none' }
  return run(enter, args, { timeout_s: 60, env })
}

async function isCleaned(node: Enrolled): Promise<void> {
  const { rack, name, machine } = node
  await fill(machine)
  assert.deepEqual(await holdsSecret(machine), [true, true, true, true])

  const asked = steps('burnin_cpu', 'burnin_disk', 'erase_devices')
  await reaches(node, 'manageable', () => rack.baremetal('node', 'clean', name, '--clean-steps', asked))

  const shown = await readFile(machine.options.console, 'latin1')
  assert.match(shown, /Burning in the processors: stress-ng --cpu 0 --timeout 2/)
  assert.match(shown, /Burning in the disks: fio .* --filename=\/dev\/nvme0n1/)
  assert.match(shown, /Erased \/dev\/nvme0n1 by NVMe format \(user data erase\); 64 places of it were read back/)
  assert.deepEqual(await holdsSecret(machine), [false, false, false, false])
}

async function isServiced(node: Enrolled): Promise<void> {
  const { rack, name, uuid, machine } = node
  await reaches(node, 'active', () => rack.baremetal('node', 'adopt', name))

  await reaches(node, 'active', async () => {
    const body = { target: 'service', service_steps: JSON.parse(steps('burnin_cpu')) }
    const { status, text } = await rack.appliance.call('PUT', `/v1/nodes/${uuid}/states/provision`, body)
    assert.equal(status, 202, text)
  })

  assert.match(await readFile(machine.options.console, 'latin1'), /Burning in the processors: stress-ng/)
}

async function isEntered(t: TestContext, node: Enrolled): Promise<void> {
  const { rack, name, machine } = node
  await fill(machine)
  const from = rack.appliance.lines.length
  await reaches(node, 'rescue', () => rack.baremetal('node', 'rescue', name, '--rescue-password', PASSWORD))

  const address = addressOf(rack, machine)
  const entered = await ssh(t, rack, address, PASSWORD, 'id -un; head -c 16 /dev/nvme0n1')

  assert.equal(entered, `root\n${SECRET.subarray(0, 16)}`)
  await assert.rejects(ssh(t, rack, address, 'open sesame 8', 'id'), /Permission denied/)
  await assert.rejects(run(...curl(rack, `https://${address}:9999/v1/status`)), /curl/)
  const told = JSON.stringify(rack.appliance.lines.slice(from)) + (await readFile(machine.options.console, 'latin1'))
  assert.ok(!told.includes(PASSWORD), 'the password is in no log')

  await reaches(node, 'active', () => rack.baremetal('node', 'unrescue', name))
  const { power_state, instance_info } = await showNode(rack, name)
  assert.deepEqual([power_state, machine.power, instance_info], ['power on', 'on', {}])
}

describe('machines with NVMe disks', () => {
  it('are erased by their own format and burned in; worked in service, and entered by ssh in a rescue, until it ends', {
    timeout: PREPARE_DEADLINE_MS + DEPLOY_DEADLINE_MS,
  }, async (t) => {
    const machines = { machines: 2, disk_bytes: DISK_BYTES, disk_bus: 'nvme' } as const
    await using rack = await rackFor(t, { images: [], ...machines, config: CONFIG })
    const seconds = ['agent_burnin_cpu_timeout=2', 'agent_burnin_fio_disk_runtime=2']
    const [first, second] = [await enrolled(rack, 0, ...seconds), await enrolled(rack, 1, ...seconds)]

    // Side by side: each boot takes a core its time.
    await Promise.all([isCleaned(first), isServiced(second).then(() => isEntered(t, second))])
  })
})

function curl(rack: Rack, url: string): [string, string[], { timeout_s: number }] {
  const [enter = '', ...before] = rack.hardware.network.enter
  return [
    enter,
    [...before, 'curl', '--silent', '--show-error', '--insecure', '--max-time', '5', url],
    { timeout_s: 30 },
  ]
}
