/** The agent in an inspection: what it collects on a fake machine, and how it tells. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { addressIn, v6AddressIn } from '../../../../pxe/ramdisk/agent/inspect/bmc.ts'
import { frameIn, tlvsIn } from '../../../../pxe/ramdisk/agent/inspect/lldp.ts'
import { startAgent } from './agent-process.ts'
import { type Answer, startIronic } from './fake-ironic.ts'
import { MAC, makeMachine } from './fake-machine.ts'

/** As tcpdump 4.99 prints it, of a frame with padding. */
const TCPDUMP = `12:00:00.000000 LLDP, length 32: sw1
	0x0000:  0180 c200 000e 6464 9b32 f300 88cc 0207
	0x0010:  0464 649b 32f3 0004 0507 7031 2f31 0602
	0x0020:  0078 0a03 7377 3100 0000 0000 0000 00
`
const TLVS = [
  [1, '0464649b32f300'],
  [2, '0770312f31'],
  [3, '0078'],
  [5, '737731'],
  [0, ''],
]

async function inspecting(t: TestContext, more: string, inspections: Answer[] = []) {
  const ironic = await startIronic({ inspections })
  const cmdline = `ipa-inspection-callback-url=${ironic.url}/agent/~x/v1/continue_inspection BOOTIF=${MAC} ${more}`
  const machine = await makeMachine({
    cmdline,
    programs: { dmesg: 'echo the kernel speaks', tcpdump: `cat <<'EOF'\n${TCPDUMP}EOF` },
  })
  const pci = join(machine.root, 'sys/bus/pci/devices/0000:00:03.0')
  await mkdir(pci, { recursive: true })
  for (const [name, text] of [
    ['vendor', '0x1af4'],
    ['device', '0x1000'],
    ['class', '0x020000'],
  ] as const) {
    await writeFile(join(pci, name), `${text}\n`)
  }
  const agent = startAgent(machine)
  t.after(async () => {
    for (const one of [agent, machine, ironic]) await one[Symbol.asyncDispose]()
  })
  const ended = await agent.exit()
  const reports = ironic.named('/agent/~x/v1/continue_inspection').map(({ body }) => body as Record<string, unknown>)
  return { ironic, machine, ended, reports }
}

describe('the deploy agent in an inspection', { timeout: 30_000 }, () => {
  it('reports its inventory and its logs, and ends: it was told of no API', async (t) => {
    const { ironic, ended, reports } = await inspecting(t, 'ipa-collect-lldp=1')

    assert.equal(ended.code, 0)
    assert.equal(ironic.named('/v1/lookup').length, 0)
    const [report] = reports
    assert.ok(report)
    assert.equal(report.error, null)
    const inventory = report.inventory as Record<string, unknown>
    const keys = [
      'bmc_address',
      'bmc_v6address',
      'boot',
      'cpu',
      'disks',
      'hostname',
      'interfaces',
      'memory',
      'system_vendor',
    ]
    assert.deepEqual(Object.keys(inventory).sort(), keys)
    assert.deepEqual((inventory.interfaces as { lldp: unknown }[])[0]?.lldp, TLVS)
    assert.equal(report.boot_interface, MAC)
    assert.match(String(report.logs), /^H4sI/)
    assert.ok(!('pci_devices' in report))
  })

  it('tells PCI devices where that is asked for, and what it cannot collect', async (t) => {
    const { reports } = await inspecting(t, 'ipa-inspection-collectors=default,pci-devices,extra-hardware')

    const [report] = reports
    assert.deepEqual(report?.pci_devices, [
      { vendor_id: '1af4', product_id: '1000', class: '020000', revision: null, bus: '0000:00:03.0' },
    ])
    assert.match(String(report?.error), /^there is no collector extra-hardware/)
    assert.ok(!('logs' in (report ?? {})))
  })

  it('comes again while its node is held, and ends with the reason where it is refused', async (t) => {
    const held = await inspecting(t, '', [{ status: 409 }])
    const refused = await inspecting(t, '', [{ status: 404, body: { error_message: 'no such node' } }])

    assert.deepEqual([held.ended.code, held.reports.length], [0, 2])
    assert.deepEqual([refused.ended.code, refused.reports.length], [1, 1])
    assert.match(refused.ended.lastLine, /^The report of this inspection is not taken: .* answered 404/)
  })
})

describe('a frame of LLDP', () => {
  it('is read up to its end, without what pads it', () => {
    assert.deepEqual(tlvsIn(frameIn(TCPDUMP)), TLVS)
    assert.deepEqual(tlvsIn(frameIn('nothing was heard\n0 packets captured\n')), [])
    assert.deepEqual(tlvsIn(Buffer.from(`${'00'.repeat(14)}03ff41`, 'hex')), [[1, '41']])
  })
})

describe('the address of the BMC', () => {
  it('is what ipmitool says, unless there is none', () => {
    assert.equal(addressIn('Set in Progress         : Set Complete\nIP Address              : 10.0.0.7\n'), '10.0.0.7')
    assert.equal(addressIn('IP Address Source       : DHCP Address\nIP Address              : 0.0.0.0\n'), null)
    assert.equal(
      v6AddressIn('IPv6 Static Address 0:\n    Enabled:        yes\n    Address:        fd00::7/64\n'),
      'fd00::7',
    )
    assert.equal(v6AddressIn('    Address:        ::/64\n'), null)
  })
})
