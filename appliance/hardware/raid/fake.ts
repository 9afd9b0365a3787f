/** The RAID of a machine that is only a record: its steps do nothing, and succeed. */
import type { InterfaceStep, RaidInterface } from '../../plugin-api/interfaces.ts'

const run: InterfaceStep['run'] = async () => ({ done: true })

const VOLUMES = {
  create_root_volume: { description: 'Whether the root volume is made. Default: true.' },
  create_nonroot_volumes: { description: 'Whether the other volumes are made. Default: true.' },
} as const

/** @source Ironic drivers/base.py RAIDInterface, drivers/modules/fake.py FakeRAID */
export const fakeRaid: RaidInterface = {
  name: 'fake',
  validate() {},
  logicalDiskProperties: {},
  steps: [
    { step: 'create_configuration', of: ['clean'], priority: 0, argsInfo: VOLUMES, again: true, run },
    { step: 'delete_configuration', of: ['clean'], priority: 0, again: true, run },
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
      run,
    },
  ],
}
