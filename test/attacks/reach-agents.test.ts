/** Whoever has an agent's token, or may name a BMC, makes the box knock where only the box itself can. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { createReach } from '../../appliance/ground/reach.ts'
import { createIpmi } from '../../appliance/hardware/ipmi/ipmi.ts'
import { ipmitoolPower } from '../../appliance/hardware/power/ipmitool.ts'
import { createLog } from '../../appliance/log.ts'
import { interfaceTask } from '../../appliance/plugin-testing/interface-task.ts'
import { deploying } from '../appliance/conductor/deploying.ts'
import { MAC } from '../appliance/conductor/trial.ts'
import { nodeOnPaper } from '../appliance/hardware/node-on-paper.ts'
import { startVictim } from './victim.ts'

const STRICT = '[DEFAULT]\nreachable_networks =\n[agent]\nrequire_tls = False\n[api]\ncheck_machine_address = False\n'

describe('the callback_url of an agent', () => {
  for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '0.0.0.0', '2130706433']) {
    it(`is not ${host}: the box does not call itself`, async (t) => {
      const victim = await startVictim(t)
      const { trial, uuid } = await deploying(t, { ini: STRICT })
      const { config } = await trial.conductor.lookup({ addresses: [MAC] })

      await trial.conductor.heartbeat(uuid, {
        callback_url: `http://${host}:${victim.port}`,
        agent_token: String(config.agent_token),
        agent_version: '13.0.0',
      })

      const { last_error } = await trial.untilState(uuid, 'deploy failed')
      assert.match(
        String(last_error),
        /is (at \S+, which is )?(a loopback address|no address of a server): this box connects there only when \[DEFAULT\] reachable_networks allows it/,
      )
      assert.equal(victim.connections, 0)
    })
  }
})

describe('the address of a BMC', () => {
  for (const ipmi_address of ['127.0.0.1', 'localhost', '2130706433', '127.1', '0.0.0.0', '::ffff:127.0.0.1']) {
    it(`is not ${ipmi_address}: ipmitool is not started`, async (t) => {
      let packets = 0
      const victim = createSocket('udp4').on('message', () => {
        packets++
      })
      t.after(() => victim.close())
      victim.bind(0, '127.0.0.1')
      await once(victim, 'listening')
      const reach = createReach({ allowed: [], option: '[DEFAULT] reachable_networks' })
      const { getPowerState } = ipmitoolPower(
        createIpmi({ log: createLog('error', () => {}), reach, default_boot_mode: 'uefi' }),
      )
      const node = nodeOnPaper({
        driver_info: {
          ipmi_address,
          ipmi_port: victim.address().port,
          ipmi_username: 'admin',
          ipmi_password: 'secret',
        },
      })

      await assert.rejects(() => getPowerState(interfaceTask(node)), {
        name: 'BmcFailure',
        message:
          /^The BMC \S+ port \d+ of node \S+ is not asked: .* is (at \S+, which is )?(a loopback address|no address of a server): this box connects there only when \[DEFAULT\] reachable_networks allows it\.$/,
      })
      assert.equal(packets, 0)
    })
  }
})
