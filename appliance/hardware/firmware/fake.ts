/** The firmware of a machine that is only a record: each update succeeds. */
import type { FirmwareInterface } from '../../plugin-api/interfaces.ts'

/** @source Ironic drivers/modules/fake.py FakeFirmware */
export const fakeFirmware: FirmwareInterface = {
  name: 'fake',
  validate() {},
  steps: [
    {
      step: 'update',
      of: ['clean'],
      priority: 0,
      argsInfo: { settings: { description: 'Firmware components: a list of {component, url}.', required: true } },
      again: true,
      async run(task, { settings }) {
        task.log.debug('firmware update', { settings })
        return { done: true }
      },
    },
  ],
}
