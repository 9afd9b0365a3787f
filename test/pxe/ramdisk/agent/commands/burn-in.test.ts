/** Burn-in: what programs are started with, what is refused, and what comes of it. The programs are scripts. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { runSelfTests } from '../../../../../pxe/ramdisk/agent/commands/self-tests.ts'
import { stepCommands } from '../../../../../pxe/ramdisk/agent/commands/steps.ts'
import { listDisks } from '../../../../../pxe/ramdisk/agent/hardware/disks.ts'
import { agentOn } from '../agent-context.ts'
import { type FakeMachine, MIB, makeMachine } from '../fake-machine.ts'

const TWO = ['vda', 'vdb'].map((name) => ({ name, size_bytes: 16 * MIB }))
const machineWith = (programs: Record<string, string> = {}, disks = TWO) =>
  makeMachine({
    disks,
    programs: { 'stress-ng': 'echo "stress-ng: info:  [1] passed: 1" >&2', fio: 'echo done', ...programs },
  })

type Run = { step: string; driver_info?: object; properties?: object; phase?: 'clean' | 'service' }

async function burnIn(machine: FakeMachine, { step, driver_info = {}, properties = {}, phase = 'clean' }: Run) {
  const node = { uuid: '5f2c', driver_info, properties }
  const notes: string[] = []
  const run = stepCommands(agentOn(machine), phase)[`execute_${phase}_step`]?.run
  const result = await run?.(
    { node, step: { interface: 'deploy', step } },
    { progress: ({ note }) => void notes.push(note) },
  )
  return { result: (result as Record<string, unknown>)[`${phase}_result`], notes }
}
const callsOf = async (machine: FakeMachine) =>
  (await machine.calls())
    .filter((call) => /^(stress-ng|fio|smartctl) /.test(call))
    .map((call) => call.replaceAll(machine.root, ''))

describe('burn-in', () => {
  const commands: [Run, string[]][] = [
    [{ step: 'burnin_cpu' }, ['stress-ng --cpu 0 --timeout 86400 --metrics-brief']],
    [
      {
        step: 'burnin_cpu',
        driver_info: {
          agent_burnin_cpu_timeout: '600',
          agent_burnin_cpu_cpu: 2,
          agent_burnin_cpu_outputfile: '/var/log/burnin.cpu',
        },
        phase: 'service',
      },
      ['stress-ng --cpu 2 --timeout 600 --metrics-brief --log-file /var/log/burnin.cpu'],
    ],
    [{ step: 'burnin_memory' }, ['stress-ng --vm 0 --timeout 86400 --vm-bytes 98% --metrics-brief']],
    [
      {
        step: 'burnin_memory',
        driver_info: { 'agent_burnin_vm_vm-bytes': '512m', agent_burnin_vm_timeout: 60, agent_burnin_vm_vm: 1 },
      },
      ['stress-ng --vm 1 --timeout 60 --vm-bytes 512m --metrics-brief'],
    ],
    [
      { step: 'burnin_disk', driver_info: { agent_burnin_fio_disk_loops: 1 } },
      [
        'fio --rw=readwrite --bs=4k --buffered=0 --ioengine=libaio --iodepth=32 --verify=crc32c --verify_dump=1 --continue_on_error=verify --loops=1 --name=/dev/vda --filename=/dev/vda --name=/dev/vdb --filename=/dev/vdb',
      ],
    ],
    [
      {
        step: 'burnin_disk',
        driver_info: { agent_burnin_fio_disk_runtime: 30, agent_burnin_fio_disk_outputfile: '/tmp/fio.json' },
        properties: { skip_block_devices: [{ name: '/dev/vdb' }] },
      },
      [
        'fio --rw=readwrite --bs=4k --buffered=0 --ioengine=libaio --iodepth=32 --verify=crc32c --verify_dump=1 --continue_on_error=verify --runtime=30 --time_based --output-format=json --output=/tmp/fio.json --name=/dev/vda --filename=/dev/vda',
      ],
    ],
    [
      {
        step: 'burnin_network',
        driver_info: {
          agent_burnin_fio_network_runtime: 10,
          agent_burnin_fio_network_config: { role: 'writer', partner: '192.168.50.12' },
        },
      },
      [
        'fio --ioengine=net --port=9000 --fill_device=1 --group_reporting --gtod_reduce=1 --numjobs=16 --name=writer --rw=write --runtime=10 --time_based --listen',
        'fio --ioengine=net --port=9000 --fill_device=1 --group_reporting --gtod_reduce=1 --numjobs=16 --name=reader --rw=read --hostname=192.168.50.12',
      ],
    ],
  ]
  for (const [run, expected] of commands)
    it(`${run.step} of ${JSON.stringify(run.driver_info ?? {})} starts what Ironic's agent starts`, async () => {
      await using machine = await machineWith()

      await burnIn(machine, run)

      assert.deepEqual(await callsOf(machine), expected)
    })

  it('tells how far it is, and the end of what the program said, within a limit', async () => {
    await using machine = await machineWith({
      'stress-ng': 'seq 1 5000; echo "stress-ng: info:  successful run completed" >&2',
    })

    const { result, notes } = await burnIn(machine, { step: 'burnin_cpu' })

    assert.deepEqual(notes, ['burning in the processors'])
    assert.match(String(result), /successful run completed|5000/)
    assert.equal(String(result).split('\n').length, 60)
  })

  it('fails with the reason, in the words of the program', async () => {
    await using machine = await machineWith({ fio: 'echo "verify: bad magic header 0 at file /dev/vda" >&2; exit 1' })

    await assert.rejects(burnIn(machine, { step: 'burnin_disk' }), {
      kind: 'CommandExecutionError',
      details: /^fio failed on the disks: fio --rw=.*verify: bad magic header 0 at file \/dev\/vda$/,
    })
  })

  it('says what is missing in a ramdisk without the program', async () => {
    await using machine = await makeMachine()

    await assert.rejects(burnIn(machine, { step: 'burnin_memory' }), {
      details:
        'This ramdisk has no stress-ng. Its layer rackstrap-stress-ng comes with a burn-in that is asked for before the machine boots; a ramdisk of an older version is built again by "rackstrap ramdisk build".',
    })
  })

  it('of disks is for no machine in service', async () => {
    await using machine = await machineWith()

    await assert.rejects(burnIn(machine, { step: 'burnin_disk', phase: 'service' }), {
      details:
        /This ramdisk has no service step 'burnin_disk'; it has burnin_cpu, burnin_memory, burnin_network, write_image\./,
    })
    assert.deepEqual(await callsOf(machine), [])
  })

  const odd: [string, string, unknown, string][] = [
    ['burnin_cpu', 'agent_burnin_cpu_timeout', '--help', 'expected seconds from 0 to 1209600'],
    ['burnin_cpu', 'agent_burnin_cpu_timeout', 1_209_601, 'expected seconds from 0 to 1209600'],
    ['burnin_cpu', 'agent_burnin_cpu_cpu', -1, 'expected a number from 0 to 65536'],
    [
      'burnin_cpu',
      'agent_burnin_cpu_outputfile',
      '/etc/passwd',
      'expected a file in /var/log, /tmp or /run of the ramdisk',
    ],
    [
      'burnin_cpu',
      'agent_burnin_cpu_outputfile',
      '/tmp/../init',
      'expected a file in /var/log, /tmp or /run of the ramdisk',
    ],
    ['burnin_memory', 'agent_burnin_vm_vm-bytes', '200%', 'expected a part such as 98%, or bytes such as 512m'],
    ['burnin_disk', 'agent_burnin_fio_disk_loops', 1.5, 'expected a number from 0 to 65536'],
    [
      'burnin_network',
      'agent_burnin_fio_network_config',
      { role: 'writer', partner: '-oProxy' },
      'expected the role "writer" or "reader", and an address or a host name as partner',
    ],
  ]
  for (const [step, key, value, wanted] of odd)
    it(`takes no ${JSON.stringify(value)} as ${key}`, async () => {
      await using machine = await machineWith()

      await assert.rejects(burnIn(machine, { step, driver_info: { [key]: value } }), {
        kind: 'InvalidCommandParamsError',
        details: `driver_info/${key} is ${JSON.stringify(value)}: ${wanted}.`,
      })
      assert.deepEqual(await callsOf(machine), [])
    })

  it('of the network wants its pair in driver_info', async () => {
    await using machine = await machineWith()

    await assert.rejects(burnIn(machine, { step: 'burnin_network' }), {
      details:
        'driver_info/agent_burnin_fio_network_config is not set: expected {"role": "writer", "partner": ADDRESS}, and the other role on the partner\'s node. Pairing by a backend of tooz is not there.',
    })
  })
})

describe('the self-tests of disks', () => {
  const told = (status: string) => `{"ata_smart_data":{"self_test":{"status":{"value":0,"string":"${status}"}}}}`
  const smartctl = `
case "$1" in
-t) ;;
*) case "$2" in
  *vda) cat "$(dirname "$0")/vda" ; echo '${told('completed without error')}' >"$(dirname "$0")/vda" ;;
  *) echo '{"nvme_self_test_log":{}}' ;;
  esac ;;
esac`

  it('are waited for; a disk that tells nothing of them passes', async () => {
    await using machine = await machineWith({ smartctl })
    await writeFile(join(machine.root, 'usr/bin/vda'), told('in progress, 90% remaining'))

    await runSelfTests(agentOn(machine), await listDisks(machine.root), { limit_s: 60, look_ms: 1 })

    assert.deepEqual(
      (await callsOf(machine)).filter((call) => call.endsWith('vda')),
      ['smartctl -t long /dev/vda', 'smartctl -ja /dev/vda', 'smartctl -ja /dev/vda'],
    )
  })

  it('fail the burn-in, each with what it says', async () => {
    await using machine = await machineWith({
      smartctl: smartctl.replace('-t) ;;', '-t) case "$3" in *vdb) exit 4;; esac ;;'),
    })
    await writeFile(join(machine.root, 'usr/bin/vda'), told('completed: read failure'))

    const run: Run = { step: 'burnin_disk', driver_info: { agent_burnin_fio_disk_smart_test: true } }
    await assert.rejects(burnIn(machine, run), {
      kind: 'CleaningError',
      details: /^SMART self-test failed: \/dev\/vdb: it does not start \(.*\); \/dev\/vda: completed: read failure$/,
    })
  })
})
