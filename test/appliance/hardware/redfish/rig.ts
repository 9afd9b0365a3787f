/** A BMC that is a table of resources, made anew for each test, and the interfaces that ask it. */
import { afterEach, beforeEach } from 'node:test'
import { redfishManagement } from '../../../../appliance/hardware/management/redfish.ts'
import { redfishPower } from '../../../../appliance/hardware/power/redfish.ts'
import { createRedfish, type Redfish } from '../../../../appliance/hardware/redfish/redfish.ts'
import { createLog } from '../../../../appliance/log.ts'
import type { Node } from '../../../../appliance/records/kinds/node.ts'
import { RedfishBmc } from '../../../rack/redfish-bmc.ts'
import { LOOPBACK_REACH } from '../../loopback-reach.ts'
import { nodeOnPaper } from '../node-on-paper.ts'
import { REDFISH_OPTIONS } from './options.ts'

export type Rig = {
  readonly bmc: RedfishBmc
  /** What was logged. */
  readonly lines: string[]
  /** A record of the machine, with what `keep` was told. */
  node(driver_info?: object, change?: Partial<Node>): Node
  keep(change: Partial<Node>): void
  shared(change?: Partial<typeof REDFISH_OPTIONS>, reach?: typeof LOOPBACK_REACH): Redfish
  /** Power and management. */
  redfish(
    change?: Partial<typeof REDFISH_OPTIONS>,
    reach?: typeof LOOPBACK_REACH,
  ): ReturnType<typeof redfishPower> & ReturnType<typeof redfishManagement>
}

/** Called within a `describe`. */
export function redfishRig(): Rig {
  const lines: string[] = []
  const log = createLog('debug', (line) => lines.push(line))
  let bmc: RedfishBmc
  let record: Partial<Node>
  beforeEach(async () => {
    bmc = await RedfishBmc.start()
    record = {}
    lines.length = 0
  })
  afterEach(() => bmc[Symbol.asyncDispose]())

  const shared: Rig['shared'] = (change = {}, reach = LOOPBACK_REACH) => {
    const config = { ...REDFISH_OPTIONS, ...change }
    return createRedfish({ log, reach, config, default_boot_mode: 'uefi', power_state_change_timeout_s: 2 })
  }
  return {
    get bmc() {
      return bmc
    },
    lines,
    node(driver_info = {}, change = {}) {
      const account = { redfish_address: bmc.url, redfish_username: 'admin', redfish_password: bmc.account.password }
      return nodeOnPaper({ driver: 'redfish', driver_info: { ...account, ...driver_info }, ...record, ...change })
    },
    keep(change) {
      record = { ...record, ...change }
    },
    shared,
    redfish: (change, reach) => ({
      ...redfishPower(shared(change, reach)),
      ...redfishManagement(shared(change, reach)),
    }),
  }
}
