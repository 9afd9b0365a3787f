/** RAID by Redfish. What speaks to the BMC is loaded with the first call. */
import type { Json } from '../../plugin-api/index.ts'
import type { InterfaceStep, InterfaceStepTask, RaidInterface } from '../../plugin-api/interfaces.ts'
import { REDFISH_BOUND_SECRETS, REDFISH_PROPERTIES } from '../redfish/access.ts'
import type { Redfish } from '../redfish/redfish.ts'
import { LOGICAL_DISK_PROPERTIES } from './logical-disk.ts'

const VOLUMES = {
  create_root_volume: { description: 'Whether the root volume is made. Default: true.' },
  create_nonroot_volumes: { description: 'Whether the other volumes are made. Default: true.' },
  delete_existing: { description: 'Whether the configuration that is there is deleted first.' },
} as const

/** @source Ironic drivers/modules/redfish/raid.py RedfishRAID */
export function redfishRaid({ at, validate }: Redfish): RaidInterface {
  const volumes = () => import('../redfish/volumes.ts')
  const remove = (task: InterfaceStepTask) => at(task, async (bmc) => (await volumes()).deleteVolumes(bmc))

  /** @throws also where nothing is wanted: a step that does nothing would look as one that did */
  async function create(task: InterfaceStepTask, config: unknown, args: Json): Promise<{ done: true }> {
    const { logical_disks = [] } = (config ?? {}) as { logical_disks?: readonly Json[] }
    const isMade = ({ is_root_volume }: Json) =>
      (is_root_volume ? args.create_root_volume : args.create_nonroot_volumes) !== false
    const wanted = logical_disks.filter(isMade)
    if (wanted.length === 0) throw task.failure(`Node ${task.node.uuid} has no target RAID configuration set.`)
    if (args.delete_existing === true) await remove(task)
    await at(task, async (bmc) => (await volumes()).createVolumes(bmc, wanted))
    return { done: true }
  }
  const steps: readonly InterfaceStep[] = [
    {
      step: 'create_configuration',
      of: ['clean'],
      priority: 0,
      argsInfo: VOLUMES,
      run: (task, args) => create(task, task.node.target_raid_config, args),
    },
    {
      step: 'delete_configuration',
      of: ['clean'],
      priority: 0,
      again: true,
      async run(task) {
        await remove(task)
        return { done: true }
      },
    },
    {
      step: 'apply_configuration',
      of: ['deploy'],
      priority: 0,
      argsInfo: {
        raid_config: { description: 'The wanted configuration, as in target_raid_config.', required: true },
        ...VOLUMES,
      },
      run: (task, args) => create(task, args.raid_config, { delete_existing: true, ...args }),
    },
  ]
  return {
    name: 'redfish',
    properties: REDFISH_PROPERTIES,
    boundSecrets: REDFISH_BOUND_SECRETS,
    validate: (task) => validate(task),
    logicalDiskProperties: LOGICAL_DISK_PROPERTIES,
    getConfiguration: (task) => at(task, async (bmc) => (await volumes()).readConfiguration(bmc)),
    steps,
  }
}
