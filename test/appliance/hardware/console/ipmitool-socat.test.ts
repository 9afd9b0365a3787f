/** A console by serial over LAN, of a real BMC simulator, whose machine talks over TCP. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Consoles, createConsoles } from '../../../../appliance/hardware/console/consoles.ts'
import { ipmitoolSocatConsole } from '../../../../appliance/hardware/console/ipmitool-socat.ts'
import { createIpmi } from '../../../../appliance/hardware/ipmi/ipmi.ts'
import { createLog } from '../../../../appliance/log.ts'
import { interfaceTask } from '../../../../appliance/plugin-testing/interface-task.ts'
import { freeUdpPort } from '../../../rack/free-port.ts'
import { type IpmiSim, startIpmiSim } from '../../../rack/ipmi-sim.ts'
import { createMachineOnPaper } from '../../../rack/machine-on-paper.ts'
import { LOOPBACK_REACH } from '../../loopback-reach.ts'
import { nodeOnPaper } from '../node-on-paper.ts'

describe('console ipmitool-socat', () => {
  const folder = mkdtempSync(join(tmpdir(), 'console-'))
  const log = createLog('debug', () => {})
  let serial: Socket
  let heard = ''
  const machine = createServer((socket) => {
    serial = socket
    socket.on('data', (bytes) => {
      heard += bytes.toString('latin1')
    })
    socket.on('error', () => {})
    socket.write('BIOS ')
  })
  let sim: IpmiSim
  let port: number
  let consoles: Consoles

  before(async () => {
    machine.listen(0, '127.0.0.1')
    await once(machine, 'listening')
    port = await freeUdpPort()
    const { hook } = createMachineOnPaper(folder)
    const account = { username: 'admin', password: 'secret-word' }
    sim = await startIpmiSim({
      folder,
      port,
      hook,
      ...account,
      serial: `127.0.0.1:${(machine.address() as AddressInfo).port}`,
    })
    consoles = createConsoles({ log, folder: join(folder, 'consoles'), host: '127.0.0.1', port_range: '' })
  })
  after(async () => {
    await consoles.close()
    await sim.stop()
    serial?.destroy()
    machine.close()
    rmSync(folder, { recursive: true })
  })

  const driver = () =>
    ipmitoolSocatConsole(createIpmi({ log, reach: LOOPBACK_REACH, default_boot_mode: 'bios' }), consoles)
  const node = (driver_info = {}) =>
    nodeOnPaper({
      driver_info: {
        ...{ ipmi_address: '127.0.0.1', ipmi_port: port, ipmi_username: 'admin', ipmi_password: 'secret-word' },
        ...driver_info,
      },
    })
  /** Asked again and again: words take their time through a serial line. */
  const until = async (read: () => string, wanted: string) => {
    for (let tries = 0; tries < 200 && !read().includes(wanted); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    assert.ok(read().includes(wanted), `${JSON.stringify(read())} lacks ${wanted}`)
  }
  const recorded = (suffix = '') => readFileSync(join(folder, 'consoles', `${node().uuid}.log${suffix}`), 'utf8')

  it('shows what the machine says, types what a viewer types, and records each procedure apart', async () => {
    const task = interfaceTask(node())
    await driver().startConsole(task)
    const { type, url } = await driver().getConsole(task)
    const viewer = connect(Number(new URL(String(url)).port), '127.0.0.1')
    let seen = ''
    viewer.on('data', (bytes) => {
      seen += bytes.toString()
    })
    await once(viewer, 'connect')

    serial.write('login: ')
    await until(() => seen, 'login: ')
    viewer.write(Buffer.from([0x1e, 0x2e, ...Buffer.from('root\r')]))
    await until(() => heard, '.root\r')
    await driver().beginRecord?.(task)
    serial.write('second boot')
    await until(() => seen, 'second boot')
    const isOver = once(viewer, 'close')
    await driver().stopConsole(task)
    await isOver

    assert.deepEqual([type, new URL(String(url)).hostname], ['socat', '127.0.0.1'])
    assert.match(recorded('.1'), /login: /)
    assert.match(recorded(), /^second boot/)
    assert.deepEqual(await driver().getConsole(task), { type: 'socat', url: null })
  })

  it('listens on the port that the node names', async () => {
    const free = createServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    const { port: taken } = free.address() as AddressInfo
    const task = interfaceTask(node({ ipmi_terminal_port: taken }))

    await assert.rejects(driver().startConsole(task), {
      name: 'BmcFailure',
      message: `The console's port ${taken} on 127.0.0.1 (driver_info/ipmi_terminal_port) is taken by another program.`,
    })
    free.close()
    await once(free, 'close')
    await driver().startConsole(task)

    assert.deepEqual(await driver().getConsole(task), { type: 'socat', url: `tcp://127.0.0.1:${taken}` })
    await driver().stopConsole(task)
  })

  it('is refused in words: a port that is none, IPMI 1.5, a wrong password', async () => {
    const validate = (driver_info: object) => driver().validate(interfaceTask(node(driver_info)))

    assert.throws(() => validate({ ipmi_terminal_port: 'x' }), {
      message: `ipmi_terminal_port "x" of node ${node().uuid} is not a valid port.`,
    })
    assert.throws(() => validate({ ipmi_protocol_version: '1.5' }), {
      message: `Serial over lan only works with IPMI protocol version 2.0. Check the ipmi_protocol_version parameter in node ${node().uuid}'s driver_info`,
    })
    await assert.rejects(driver().startConsole(interfaceTask(node({ ipmi_password: 'guess' }))), {
      message: /does not accept the password of user 'admin'/,
    })
  })

  it('leaves nothing of nodes that are not there any more', async () => {
    await consoles.sweep(() => false)

    assert.throws(() => recorded(), { code: 'ENOENT' })
  })
})
