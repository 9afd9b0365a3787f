/** The RAID of a machine that is only a record: what it is set to is kept in driver_internal_info/fake_raid. */
import type { Json } from '../../plugin-api/index.ts'
import type { InterfaceStep, InterfaceStepTask, RaidInterface } from '../../plugin-api/interfaces.ts'
import { LOGICAL_DISK_PROPERTIES } from './logical-disk.ts'

type Disks = { logical_disks?: readonly Json[] }

/** @param wanted  as target_raid_config; {} for none */
async function set(task: InterfaceStepTask, wanted: Disks, args: Json): Promise<{ done: true }> {
  const isMade = ({ is_root_volume }: Json) =>
    (is_root_volume ? args.create_root_volume : args.create_nonroot_volumes) !== false
  const fake_raid = (wanted.logical_disks ?? []).filter(isMade)
  await task.remember({ fake_raid })
  return { done: true }
}
const create: InterfaceStep['run'] = (task, args) => set(task, task.node.target_raid_config as Disks, args)

const VOLUMES = {
  create_root_volume: { description: 'Whether the root volume is made. Default: true.' },
  create_nonroot_volumes: { description: 'Whether the other volumes are made. Default: true.' },
} as const

/** @source Ironic drivers/base.py RAIDInterface, drivers/modules/fake.py FakeRAID */
export const fakeRaid: RaidInterface = {
  name: 'fake',
  validate() {},
  logicalDiskProperties: LOGICAL_DISK_PROPERTIES,
  getConfiguration: async ({ node }) => ({
    logical_disks: (node.driver_internal_info.fake_raid ?? []) as readonly Json[],
  }),
  steps: [
    { step: 'create_configuration', of: ['clean'], priority: 0, argsInfo: VOLUMES, again: true, run: create },
    { step: 'delete_configuration', of: ['clean'], priority: 0, again: true, run: (task) => set(task, {}, {}) },
    {
      step: 'apply_configuration',
      of: ['deploy'],
      priority: 0,
      argsInfo: {
        raid_config: { description: 'The wanted configuration, as in target_raid_config.', required: true },
        delete_existing: { description: 'Whether the configuration that is there is deleted first. Default: true.' },
        ...VOLUMES,
      },
      again: true,
      run: (task, args) => set(task, args.raid_config as Disks, args),
    },
  ],
}
