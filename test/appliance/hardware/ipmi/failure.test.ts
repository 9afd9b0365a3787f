/** What an operator reads when a BMC does not do as told: the whole sentences, each from the real cause. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createIpmi, type IpmiOptions } from '../../../../appliance/hardware/ipmi/ipmi.ts'
import { ipmitoolManagement } from '../../../../appliance/hardware/management/ipmitool.ts'
import { ipmitoolPower } from '../../../../appliance/hardware/power/ipmitool.ts'
import { createLog } from '../../../../appliance/log.ts'
import { interfaceTask } from '../../../../appliance/plugin-testing/interface-task.ts'
import { freeUdpPort } from '../../../rack/free-port.ts'
import { type IpmiSim, startIpmiSim } from '../../../rack/ipmi-sim.ts'
import { createMachineOnPaper } from '../../../rack/machine-on-paper.ts'
import { LOOPBACK_REACH } from '../../loopback-reach.ts'
import { nodeOnPaper } from '../node-on-paper.ts'
import { slowWire } from './slow-bmc.ts'

const UUID = nodeOnPaper().uuid
const timing = {
  ...{ packet_timeout_s: 1, packet_tries: 1, process_timeout_ms: 5_000, tries: 1 },
  ...{ pause_between_tries_ms: 0, probe_timeout_ms: 1_000 },
}

/** @param onTried  called when ipmitool has run */
const ipmi = (
  given: IpmiOptions['timing'],
  onTried = () => {},
  settings: NonNullable<IpmiOptions['settings']> = {},
) => {
  const shared = createIpmi({
    log: createLog('debug', onTried),
    reach: LOOPBACK_REACH,
    default_boot_mode: 'bios',
    timing: given ?? {},
    settings,
  })
  return { ...ipmitoolPower(shared), ...ipmitoolManagement(shared) }
}

describe('a BMC that does not do as told', { concurrency: true }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ipmi-'))
  const silent = createSocket('udp4')
  const garbled = createSocket('udp4').on('message', (_message, { port, address }) => {
    garbled.send('HTTP/1.1 400 Bad Request\r\n\r\n', port, address)
  })
  let sim: IpmiSim
  let port: number

  const driver = ipmi(timing)
  const powerState = (driver_info: object) => {
    const account = { ipmi_username: 'admin', ipmi_password: 'secret-word' }
    const node = nodeOnPaper({
      driver_info: { ipmi_address: '127.0.0.1', ipmi_port: port, ...account, ...driver_info },
    })
    return driver.getPowerState(interfaceTask(node))
  }
  const says = (message: string) => ({ name: 'BmcFailure', message })

  before(async () => {
    port = await freeUdpPort()
    const { hook } = createMachineOnPaper(folder)
    sim = await startIpmiSim({ folder, port, username: 'admin', password: 'secret-word', hook })
    for (const socket of [silent, garbled]) {
      socket.bind(0, '127.0.0.1')
      await once(socket, 'listening')
    }
  })
  after(async () => {
    silent.close()
    garbled.close()
    await sim.stop()
    rmSync(folder, { recursive: true })
  })

  it('tells a wrong password', async () => {
    await assert.rejects(
      powerState({ ipmi_password: 'guess' }),
      says(
        `The BMC 127.0.0.1 port ${port} of node ${UUID} does not accept the password of user 'admin'. Set ipmi_password (and ipmi_hex_kg_key, if the BMC has a Kg key) in driver_info.`,
      ),
    )
  })

  it('tells a user that the BMC does not know', async () => {
    await assert.rejects(
      powerState({ ipmi_username: 'nobody' }),
      says(
        `The BMC 127.0.0.1 port ${port} of node ${UUID} does not know user 'nobody', or gives it no access over the network. Set ipmi_username in driver_info to an account of the BMC that may use IPMI over LAN.`,
      ),
    )
  })

  it('tells a cipher suite that the BMC does not offer', async () => {
    await assert.rejects(
      powerState({ ipmi_cipher_suite: 17 }),
      says(
        `The BMC 127.0.0.1 port ${port} of node ${UUID} does not offer the cipher suite. Set ipmi_cipher_suite in driver_info to 3 or 17.`,
      ),
    )
  })

  it('tells an address where a machine is up, but no BMC listens', async () => {
    const unused = await freeUdpPort()

    await assert.rejects(
      powerState({ ipmi_port: unused }),
      says(
        `The BMC 127.0.0.1 port ${unused} of node ${UUID} refuses the connection: the machine at that address is up, but no BMC listens there. Check ipmi_address and ipmi_port in driver_info, and that IPMI over LAN is enabled.`,
      ),
    )
  })

  it('tells a BMC that is gone', async () => {
    const { port: mute } = silent.address()

    await assert.rejects(
      powerState({ ipmi_port: mute }),
      says(
        `The BMC 127.0.0.1 port ${mute} of node ${UUID} does not answer. Check ipmi_address and ipmi_port in driver_info, that the BMC has power and network, and that IPMI over LAN is enabled.`,
      ),
    )
  })

  it('tells something that answers, but is no BMC', async () => {
    const { port: other } = garbled.address()

    await assert.rejects(
      powerState({ ipmi_port: other }),
      says(
        `The BMC 127.0.0.1 port ${other} of node ${UUID} answers, but not in IPMI: something else uses that port, or ipmi_address or ipmi_port in driver_info is another machine's. Correct them.`,
      ),
    )
  })

  it('tells a name that has no address', async () => {
    await assert.rejects(
      powerState({ ipmi_address: 'bmc.invalid' }),
      says(
        `The BMC bmc.invalid port ${port} of node ${UUID} has no address: the name in driver_info/ipmi_address is not known. Correct it.`,
      ),
    )
  })

  it('tells what the BMC did not want, though ipmitool exits as if all were well', async () => {
    const node = nodeOnPaper({
      driver_info: { ipmi_address: '127.0.0.1', ipmi_port: port, ipmi_username: 'admin', ipmi_password: 'secret-word' },
    })

    await assert.rejects(
      driver.setBootDevice(interfaceTask(node), 'safe', false),
      says(
        `The BMC 127.0.0.1 port ${port} of node ${UUID} refused "raw 0x00 0x08 0x03 0x08; chassis bootdev safe": Set Chassis Boot Parameter 5 failed: Unspecified error`,
      ),
    )
  })

  it('is waited for when it is slow', async (t) => {
    const slow = ipmi({ ...timing, process_timeout_ms: 1_000, tries: 2, probe_timeout_ms: 3_000 })
    const node = nodeOnPaper({
      driver_info: {
        ipmi_address: '127.0.0.1',
        ipmi_port: await slowWire(t, port, 300),
        ipmi_username: 'admin',
        ipmi_password: 'secret-word',
      },
    })

    assert.equal(await slow.getPowerState(interfaceTask(node)), 'power off')
  })

  it('gets another cipher suite when it does not offer the first one', async () => {
    const settings = { cipher_suite_versions: ['3', '17'] }

    const state = await ipmi(timing, () => {}, settings).getPowerState(
      interfaceTask(
        nodeOnPaper({
          driver_info: {
            ipmi_address: '127.0.0.1',
            ipmi_port: port,
            ipmi_username: 'admin',
            ipmi_password: 'secret-word',
          },
        }),
      ),
    )

    assert.equal(state, 'power off')
  })

  it('tells a command that the account may not give', async () => {
    const node = nodeOnPaper({
      driver_info: {
        ipmi_address: '127.0.0.1',
        ipmi_port: port,
        ipmi_username: 'admin',
        ipmi_password: 'secret-word',
        ipmi_priv_level: 'USER',
      },
    })

    await assert.rejects(
      driver.setBootDevice(interfaceTask(node), 'pxe', false),
      says(
        `The BMC 127.0.0.1 port ${port} of node ${UUID} gives user 'admin' too few rights. Raise its privilege level on the BMC, or lower ipmi_priv_level in driver_info.`,
      ),
    )
  })
})

describe('ipmitool itself', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ipmitool-'))
  const { PATH } = process.env
  const driver = ipmi(timing)
  const node = nodeOnPaper({ driver_info: { ipmi_address: '192.0.2.1', ipmi_password: 'secret-word' } })
  const standIn = (script: string) => {
    writeFileSync(join(folder, 'ipmitool'), `#!/bin/sh\n${script}\n`)
    chmodSync(join(folder, 'ipmitool'), 0o755)
  }

  before(() => {
    process.env.PATH = folder
  })
  after(() => {
    process.env.PATH = PATH
    rmSync(folder, { recursive: true })
  })

  it('is asked for when it is missing', async () => {
    await assert.rejects(driver.getPowerState(interfaceTask(node)), {
      name: 'BmcFailure',
      message: 'ipmitool is not installed on the appliance: install the package ipmitool.',
    })
  })

  it('is not believed when it tells neither on nor off', async () => {
    standIn('echo Chassis Power is purple')

    await assert.rejects(driver.getPowerState(interfaceTask(node)), {
      name: 'BmcFailure',
      message: `The BMC 192.0.2.1 port 623 of node ${UUID} answered "Chassis Power is purple" when asked for its power state: expected on or off. Reset the BMC.`,
    })
  })

  it('is quoted when it gives another reason, but never with the password', async () => {
    standIn('echo "Loading IANA PEN Registry..." >&2; echo "no luck with $IPMI_PASSWORD" >&2; exit 1')

    await assert.rejects(driver.getPowerState(interfaceTask(node)), {
      name: 'BmcFailure',
      message: `The BMC 192.0.2.1 port 623 of node ${UUID} refused "power status": no luck with ******`,
    })
  })

  it('is asked again when the BMC is busy', async () => {
    standIn('echo Node busy >&2; exit 1')
    const patient = ipmi({ ...timing, tries: 2 }, () => standIn('echo Chassis Power is on'))

    assert.equal(await patient.getPowerState(interfaceTask(node)), 'power on')
  })

  it('is asked again, after the rest that the BMC needs, for the words that a site has listed', async () => {
    standIn('echo the moon is full >&2; exit 1')
    const begun_ms = performance.now()
    const settings = { additional_retryable_ipmi_errors: ['moon is full'], min_command_interval: 1 }
    const patient = ipmi(timing, () => standIn('echo Chassis Power is on'), settings)

    assert.equal(await patient.getPowerState(interfaceTask(node)), 'power on')
    assert.ok(performance.now() - begun_ms >= 1_000)
  })

  it('is not believed of a wrong password when the BMC answers later than it waits', async (t) => {
    standIn('echo "> RAKP 2 HMAC is invalid" >&2; exit 1')
    const answer = Buffer.alloc(30)
    answer.set([0x06, 0, 0xff, 0x07])
    const late = createSocket('udp4').bind(0, '127.0.0.1')
    late.on('message', (_message, { port }) => setTimeout(() => late.send(answer, port, '127.0.0.1'), 1_100))
    await once(late, 'listening')
    t.after(() => late.close())
    const { port } = late.address()
    const driver_info = { ipmi_address: '127.0.0.1', ipmi_port: port, ipmi_password: 'secret-word' }

    const asked = ipmi({ ...timing, probe_timeout_ms: 3_000 }).getPowerState(
      interfaceTask(nodeOnPaper({ driver_info })),
    )

    await assert.rejects(asked, {
      message: new RegExp(
        `^The BMC 127.0.0.1 port ${port} of node ${UUID} takes 1.\\d s for an answer, and did not finish`,
      ),
    })
  })

  it('is ended when it hangs', async (t) => {
    standIn('while :; do :; done')
    const hasty = ipmi({ ...timing, process_timeout_ms: 200 })

    const mute = createSocket('udp4').bind(0, '127.0.0.1')
    t.after(() => mute.close())
    await once(mute, 'listening')
    const silent = nodeOnPaper({ driver_info: { ipmi_address: '127.0.0.1', ipmi_port: mute.address().port } })

    await assert.rejects(hasty.getPowerState(interfaceTask(silent)), { name: 'BmcFailure', message: /does not answer/ })
  })
})
