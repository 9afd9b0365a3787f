/** The BIOS settings of a machine that is only a record: they are kept in driver_internal_info/fake_bios_settings. */
import { isObject } from '@appliance/ground/json'
import { InvalidParameterValue } from '../../errors.ts'
import type { BiosInterface } from '../../plugin-api/interfaces.ts'

/** @source Ironic drivers/modules/fake.py FakeBIOS: settings that a request does not name are gone */
export const fakeBios: BiosInterface = {
  name: 'fake',
  validate() {},
  async getSettings({ node }) {
    const kept = (node.driver_internal_info.fake_bios_settings ?? {}) as Readonly<Record<string, unknown>>
    return Object.entries(kept).map(([name, value]) => ({ name, value: value === null ? null : String(value) }))
  },
  steps: [
    {
      step: 'apply_configuration',
      of: ['clean'],
      priority: 0,
      argsInfo: { settings: { description: 'BIOS settings: a list of {name, value}.', required: true } },
      again: true,
      async run(task, { settings }) {
        await task.remember({ fake_bios_settings: settingsIn(settings) })
        return { done: true }
      },
    },
    {
      step: 'factory_reset',
      of: ['clean'],
      priority: 0,
      again: true,
      async run(task) {
        await task.remember({ fake_bios_settings: undefined })
        return { done: true }
      },
    },
    { step: 'cache_bios_settings', of: ['clean'], priority: 0, again: true, run: async () => ({ done: true }) },
  ],
}

/** @throws InvalidParameterValue */
function settingsIn(given: unknown): Record<string, unknown> {
  const settings = Array.isArray(given) ? given : []
  const isRight = settings.length > 0 && settings.every((item) => isObject(item) && typeof item.name === 'string')
  if (isRight) return Object.fromEntries(settings.map(({ name, value }) => [name, value ?? null]))
  throw new InvalidParameterValue(
    `settings of bios.apply_configuration is ${JSON.stringify(given)?.slice(0, 200)}: expected a list of {name, value}.`,
  )
}
