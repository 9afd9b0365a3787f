/** Power by Redfish, against a BMC that errs as those of several vendors do. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { interfaceTask } from '../../../../appliance/plugin-testing/interface-task.ts'
import { testPowerInterface } from '../../../../appliance/plugin-testing/power-interface.ts'
import { refused, SYSTEM } from '../../../rack/redfish-bmc.ts'
import { redfishRig } from './rig.ts'

describe('power interface redfish', () => {
  const rig = redfishRig()

  testPowerInterface(() => ({ power: rig.redfish(), node: () => rig.node(), record: rig.keep }))

  describe('power', () => {
    it('is done without a reset type that the BMC does not take', async () => {
      rig.bmc.system.PowerState = 'On'
      rig.bmc.system.Actions = {
        '#ComputerSystem.Reset': {
          Target: `${SYSTEM}/Actions/ComputerSystem.Reset`,
          '@Redfish.ActionInfo': '/redfish/v1/Systems/1/ResetActionInfo',
        },
      }
      rig.bmc.resources.set('/redfish/v1/Systems/1/ResetActionInfo', {
        Parameters: [{ Name: 'ResetType', AllowableValues: ['ForceOn', 'ForceOff', 'PushPowerButton'] }],
      })

      await rig.redfish().setPowerState(interfaceTask(rig.node()), 'rebooting')

      assert.deepEqual(
        rig.bmc.changes.map((change) => change.replace(/^.*"ResetType":/, '')),
        ['"ForceOff"}', '"ForceOn"}'],
      )
      await assert.rejects(
        rig.redfish().setPowerState(interfaceTask(rig.node({}, { disable_power_off: true })), 'rebooting'),
        /takes none of ForceRestart, PowerCycle, FullPowerCycle as ResetType for "reset": it takes ForceOn, ForceOff, PushPowerButton\.$/,
      )
    })

    it('that the BMC refuses because it is so already is done', async () => {
      rig.bmc.behaviour = ({ path }) => {
        if (!path.endsWith('Reset')) return undefined
        rig.bmc.system.PowerState = 'On'
        return refused(409, 'Base.1.8.PropertyValueConflict', 'Host is powered on.')
      }

      await rig.redfish().setPowerState(interfaceTask(rig.node()), 'power on')
    })

    it('on is tried again while the BMC settles', async () => {
      let refusals = 2
      rig.bmc.behaviour = ({ path }) =>
        path.endsWith('Reset') && refusals-- > 0
          ? refused(409, 'IDRAC.2.9.ActionParameterValueConflict', 'Not yet.')
          : undefined

      await rig.redfish().setPowerState(interfaceTask(rig.node()), 'power on')

      assert.equal(rig.bmc.changes.length, 3)
    })

    it('that is not reached in time is told of', async () => {
      rig.bmc.behaviour = ({ path }) => (path.endsWith('Reset') ? { status: 204 } : undefined)

      await assert.rejects(rig.redfish().setPowerState(interfaceTask(rig.node()), 'power on'), {
        message: /did not reach "power on" within 2 s: it still says power off\. Look at the machine\.$/,
      })
    })

    it('is waited for in a task, by whatever its monitor says', async () => {
      const monitor = '/redfish/v1/TaskService/TaskMonitors/7'
      let looks = 0
      rig.bmc.behaviour = ({ method, path }) => {
        if (method === 'POST' && path.endsWith('Reset'))
          return { status: 202, headers: { location: '../../../TaskService/TaskMonitors/7', 'retry-after': '0' } }
        if (path !== monitor) return undefined
        if (looks++ < 2) return { status: 202, headers: { 'retry-after': '0' }, body: { TaskState: 'Running' } }
        rig.bmc.system.PowerState = 'On'
        return { status: 204 }
      }

      await rig.redfish().setPowerState(interfaceTask(rig.node()), 'power on')

      assert.equal(looks, 3)
    })

    it('that its task failed to do is told of in its words', async () => {
      rig.bmc.resources.set('/redfish/v1/TaskService/Tasks/7', {
        TaskState: 'Exception',
        Messages: [{ Message: 'The fuse is blown.' }],
      })
      rig.bmc.behaviour = ({ method, path }) =>
        method === 'POST' && path.endsWith('Reset')
          ? { status: 202, headers: { 'retry-after': '0' }, body: { '@odata.id': '/redfish/v1/TaskService/Tasks/7' } }
          : undefined

      await assert.rejects(rig.redfish().setPowerState(interfaceTask(rig.node()), 'power on'), {
        message: /failed in its task \/redfish\/v1\/TaskService\/Tasks\/7 \(Exception\): The fuse is blown\.$/,
      })
    })
  })
})
