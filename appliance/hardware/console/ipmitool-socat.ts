/**
 * Serial over LAN as a TCP port of this box. Named as Ironic's, whose contract it keeps; no socat is needed: the
 * appliance holds the session itself, so that several may look on, and what the machine says is recorded.
 */
import { InvalidParameterValue } from '../../errors.ts'
import type { ConsoleInterface, InterfaceTask } from '../../plugin-api/interfaces.ts'
import { IPMI_BOUND_SECRETS, IPMI_PROPERTIES } from '../ipmi/access.ts'
import type { Ipmi } from '../ipmi/ipmi.ts'
import { openSol, SOL_ESCAPE } from '../ipmi/sol.ts'
import type { Consoles } from './consoles.ts'

const PROPERTIES = {
  ...IPMI_PROPERTIES,
  ipmi_terminal_port: 'TCP port of the console on this box. Left out: one of [console] port_range. Optional.',
}

/** @source Ironic drivers/modules/ipmitool.py IPMISocatConsole */
export function ipmitoolSocatConsole(ipmi: Ipmi, consoles: Consoles): ConsoleInterface {
  return {
    name: 'ipmitool-socat',
    properties: PROPERTIES,
    boundSecrets: IPMI_BOUND_SECRETS,
    validate(task) {
      ipmi.validate(task)
      portOf(task)
      if (String(task.node.driver_info.ipmi_protocol_version ?? '2.0') === '2.0') return
      throw new InvalidParameterValue(
        `Serial over lan only works with IPMI protocol version 2.0. Check the ipmi_protocol_version parameter in node ${task.node.uuid}'s driver_info`,
      )
    },
    async startConsole(task) {
      const bmc = ipmi.open(task)
      // Asked first: what is wrong with the BMC is told in a sentence here.
      await bmc.run('chassis status')
      const open = (signal: AbortSignal) => openSol(ipmi.open({ ...task, signal }), signal)
      await consoles.start(task.node.uuid, { open, port: portOf(task), without: SOL_ESCAPE }, task.signal)
    },
    stopConsole: ({ node }) => consoles.stop(node.uuid),
    async getConsole({ node }) {
      const address = consoles.addressOf(node.uuid)
      return { type: 'socat', url: address ? `tcp://${hostIn(address.host)}:${address.port}` : null }
    },
    beginRecord: ({ node }) => consoles.beginRecord(node.uuid),
  }
}

const hostIn = (host: string) => (host.includes(':') ? `[${host}]` : host)

/** @throws InvalidParameterValue */
function portOf({ node }: Pick<InterfaceTask, 'node'>): number {
  const given = node.driver_info.ipmi_terminal_port
  if (given === undefined || given === null || given === '') return 0
  const text = String(given)
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port >= 1 && port <= 65535) return port
  throw new InvalidParameterValue(
    `ipmi_terminal_port "${text.slice(0, 100)}" of node ${node.uuid} is not a valid port.`,
  )
}
