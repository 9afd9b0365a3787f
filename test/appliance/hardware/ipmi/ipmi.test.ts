/** Against a real BMC simulator, ipmi_sim, whose machine is a few files. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createIpmi, type IpmiOptions } from '../../../../appliance/hardware/ipmi/ipmi.ts'
import { ipmitoolManagement } from '../../../../appliance/hardware/management/ipmitool.ts'
import { ipmitoolPower } from '../../../../appliance/hardware/power/ipmitool.ts'
import { createLog } from '../../../../appliance/log.ts'
import { interfaceTask } from '../../../../appliance/plugin-testing/interface-task.ts'
import { testManagementInterface } from '../../../../appliance/plugin-testing/management-interface.ts'
import { testPowerInterface } from '../../../../appliance/plugin-testing/power-interface.ts'
import type { Node } from '../../../../appliance/records/kinds/node.ts'
import { freeUdpPort } from '../../../rack/free-port.ts'
import { type IpmiSim, startIpmiSim } from '../../../rack/ipmi-sim.ts'
import { createMachineOnPaper, type MachineOnPaper } from '../../../rack/machine-on-paper.ts'
import { LOOPBACK_REACH } from '../../loopback-reach.ts'
import { nodeOnPaper } from '../node-on-paper.ts'

const PASSWORD = 'correct-horse'

/** Of all processes of this machine, looked at over and over. */
async function commandLinesUntil(work: Promise<unknown>): Promise<string[]> {
  const lines = new Set<string>()
  let isOver = false
  const end = () => {
    isOver = true
  }
  work.then(end, end)
  while (!isOver) {
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      // It may have ended by now.
      lines.add((await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' '))
    }
  }
  return [...lines]
}

describe('interfaces ipmitool', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ipmi-'))
  let lines: string[] = []
  const log = createLog('debug', (line) => lines.push(line))
  let sim: IpmiSim
  let port: number
  let machine: MachineOnPaper

  const ipmi = (change: Partial<IpmiOptions> = {}) => {
    const shared = createIpmi({ log, reach: LOOPBACK_REACH, default_boot_mode: 'bios', ...change })
    return { ...ipmitoolPower(shared), ...ipmitoolManagement(shared) }
  }
  const node = (driver_info = {}, change: Partial<Node> = {}) =>
    nodeOnPaper({
      driver_info: {
        ipmi_address: '127.0.0.1',
        ipmi_port: port,
        ipmi_username: 'admin',
        ipmi_password: PASSWORD,
        ...driver_info,
      },
      ...change,
    })
  const reset = () => {
    machine = createMachineOnPaper(folder)
    lines = []
  }

  before(async () => {
    port = await freeUdpPort()
    machine = createMachineOnPaper(folder)
    sim = await startIpmiSim({ folder, port, username: 'admin', password: PASSWORD, hook: machine.hook })
  })
  after(async () => {
    await sim.stop()
    rmSync(folder, { recursive: true })
  })

  testPowerInterface(() => {
    reset()
    return { power: ipmi(), node: () => node(), record: () => {} }
  })
  testManagementInterface(() => {
    reset()
    return { management: ipmi(), node: () => node(), record: () => {} }
  })

  describe('a BMC with a Kg key', () => {
    it('is given it by the environment, whatever bytes it has, and no process list shows it', async (t) => {
      const kg_key = '0a80ff27245c22e9606162636465690a'
      const withKey = mkdtempSync(join(tmpdir(), 'ipmi-kg-'))
      t.after(() => rmSync(withKey, { recursive: true }))
      const kgPort = await freeUdpPort()
      const { hook } = createMachineOnPaper(withKey)
      const bmc = await startIpmiSim({
        ...{ folder: withKey, port: kgPort, username: 'admin', password: PASSWORD, kg_key, hook },
      })
      t.after(() => bmc.stop())
      const ask = (more: object) => ipmi().getPowerState(interfaceTask(node({ ipmi_port: kgPort, ...more })))

      const lines: string[] = []
      const isShown = () => lines.some((line) => line.includes('ipmitool') && line.includes('-K'))
      // The program may be gone between two looks.
      for (let tries = 0; tries < 200 && !isShown(); tries++) {
        const asking = ask({ ipmi_hex_kg_key: kg_key })
        const seen = commandLinesUntil(asking)
        assert.equal(await asking, 'power off')
        lines.push(...(await seen))
      }

      assert.ok(isShown())
      assert.ok(lines.every((line) => !line.includes(kg_key) && !line.includes(PASSWORD)))
      await assert.rejects(ask({}), /does not accept the password of user 'admin'/)
    })
  })

  describe('a BMC of IPMI 1.5', () => {
    it('is logged in to by MD5', async () => {
      reset()

      assert.equal(await ipmi().getPowerState(interfaceTask(node({ ipmi_protocol_version: '1.5' }))), 'power off')
    })
  })

  describe('power', () => {
    it('waits until the machine has followed, not only until the BMC has heard', async () => {
      reset()
      machine.lag(3)

      await ipmi().setPowerState(interfaceTask(node()), 'power on')

      assert.deepEqual(machine.calls(), ['set power 1', 'get power', 'get power', 'get power', 'get power'])
      assert.equal(machine.power(), 'on')
    })

    it('says so when the machine does not follow in time', async () => {
      reset()
      machine.goDeaf()

      await assert.rejects(
        ipmi({ power_state_change_timeout_s: 0.3 }).setPowerState(interfaceTask(node()), 'power on'),
        {
          name: 'BmcFailure',
          message: `The BMC 127.0.0.1 port ${port} of node ${node().uuid} did not reach "power on" within 0.3 s: it still says power off. Look at the machine.`,
        },
      )
    })

    it('resets a machine that must not be powered off', async () => {
      reset()
      await ipmi().setPowerState(interfaceTask(node()), 'power on')
      machine.calls()

      await ipmi().setPowerState(interfaceTask(node({}, { disable_power_off: true })), 'rebooting')

      assert.deepEqual(machine.calls(), ['set reset 1', 'get power'])
    })

    it('sends one command at a time to a BMC, however many are asked for at once', async () => {
      reset()
      const driver = ipmi()

      const states = await Promise.all([1, 2, 3, 4].map(() => driver.getPowerState(interfaceTask(node()))))

      assert.deepEqual(states, Array(4).fill('power off'))
      assert.deepEqual(machine.calls(), Array(4).fill('get power'))
    })

    it('ends with the reason of the abort when it is aborted, also while it waits its turn', async () => {
      reset()
      const driver = ipmi()
      const first = driver.getPowerState(interfaceTask(node()))

      await assert.rejects(
        driver.getPowerState(interfaceTask(node(), { signal: AbortSignal.abort(new Error('shutdown')) })),
        /^Error: shutdown$/,
      )

      assert.equal(await first, 'power off')
    })
  })

  describe('boot device', () => {
    const ran = () => lines.map((line) => JSON.parse(line)).map(({ command }) => command)
    const device = ipmi

    it('is set in one session, without the 60 seconds after which a BMC forgets it', async () => {
      reset()

      await device().setBootDevice(interfaceTask(node()), 'pxe', true)

      assert.deepEqual(ran(), ['raw 0x00 0x08 0x03 0x08; chassis bootdev pxe options=persistent'])
      assert.equal(machine.boot(), 'pxe')
    })

    it('is set for UEFI by the flag of its own, when the node boots by UEFI', async () => {
      reset()
      const uefi = node({}, { properties: { capabilities: 'boot_mode:uefi' } })

      await device().setBootDevice(interfaceTask(uefi), 'disk', true)
      await device().setBootDevice(interfaceTask(uefi), 'pxe', false)

      assert.deepEqual(ran(), [
        'raw 0x00 0x08 0x03 0x08; raw 0x00 0x08 0x05 0xe0 0x08 0x00 0x00 0x00',
        'raw 0x00 0x08 0x03 0x08; raw 0x00 0x08 0x05 0xa0 0x04 0x00 0x00 0x00',
      ])
    })

    it('leaves the timeout alone with ipmi_disable_boot_timeout=False', async () => {
      reset()

      await device().setBootDevice(interfaceTask(node({ ipmi_disable_boot_timeout: 'False' })), 'disk', false)

      assert.deepEqual(ran(), ['chassis bootdev disk'])
    })

    it('is told again at each power on with ipmi_force_boot_device, but not after one for once', async () => {
      reset()
      const driver = device()
      const info = { ipmi_force_boot_device: true, ipmi_disable_boot_timeout: false }
      const told = interfaceTask(node(info))
      await driver.setBootDevice(told, 'disk', true)
      assert.deepEqual(told.remembered, { persistent_boot_device: 'disk' })
      lines = []
      const forced = node(info, { driver_internal_info: told.remembered })

      await driver.setPowerState(interfaceTask(forced), 'power on')
      await driver.setBootDevice(interfaceTask(forced), 'pxe', false)
      await driver.setPowerState(interfaceTask(forced), 'power on')

      assert.deepEqual(
        ran().filter((command) => command !== 'power status'),
        ['chassis bootdev disk', 'power on', 'chassis bootdev pxe', 'power on'],
      )
    })

    it('is refused when it is none', async () => {
      await assert.rejects(device().setBootDevice(interfaceTask(node()), 'floppy' as 'disk', false), {
        name: 'InvalidParameterValue',
        message: 'Invalid boot device floppy specified.',
      })
    })
  })

  it('never shows the password: not on a command line, not in the log', async () => {
    reset()
    machine.spy()

    await ipmi().setPowerState(interfaceTask(node()), 'power on')

    assert.match(machine.seen(), /ipmitool .*-U admin/)
    assert.doesNotMatch(machine.seen(), /correct-horse/)
    assert.ok(lines.length > 0)
    assert.doesNotMatch(lines.join(), /correct-horse/)
  })
})
