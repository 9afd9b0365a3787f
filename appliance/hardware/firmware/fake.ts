/** The firmware of a machine that is only a record: each update succeeds, and is kept in driver_internal_info. */
import { isObject } from '@appliance/ground/json'
import { InvalidParameterValue } from '../../errors.ts'
import type { FirmwareInterface } from '../../plugin-api/interfaces.ts'

/** @source Ironic drivers/modules/fake.py FakeFirmware */
export const fakeFirmware: FirmwareInterface = {
  name: 'fake',
  validate() {},
  async getComponents({ node }) {
    const kept = (node.driver_internal_info.fake_firmware ?? {}) as Readonly<Record<string, string>>
    return Object.entries({ bios: '1.0', bmc: '1.0', ...kept }).map(([component, current_version]) => ({
      component,
      current_version,
    }))
  },
  steps: [
    {
      step: 'update',
      of: ['clean'],
      priority: 0,
      argsInfo: { settings: { description: 'Firmware components: a list of {component, url}.', required: true } },
      again: true,
      async run(task, { settings }) {
        const kept = task.node.driver_internal_info.fake_firmware as object | undefined
        await task.remember({ fake_firmware: { ...kept, ...updatesIn(settings) } })
        return { done: true }
      },
    },
  ],
}

/** The version that an update brings is the name of its file. @throws InvalidParameterValue */
function updatesIn(given: unknown): Record<string, string> {
  const settings = Array.isArray(given) ? given : []
  const isRight = settings.every(
    (item) => isObject(item) && [item.component, item.url].every((x) => typeof x === 'string'),
  )
  if (isRight && settings.length > 0) {
    return Object.fromEntries(settings.map(({ component, url }) => [component, url.split('/').pop() || '1.0']))
  }
  throw new InvalidParameterValue(
    `settings of firmware.update is ${JSON.stringify(given)?.slice(0, 200)}: expected a list of {component, url}.`,
  )
}
