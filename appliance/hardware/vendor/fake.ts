/** Methods of a vendor that does not exist: each compares its argument `bar` with a word. */
import { MissingParameterValue } from '../../errors.ts'
import type { VendorInterface, VendorMethod } from '../../plugin-api/interfaces.ts'

const testOf = (name: string, word: string, o: { async: boolean; require_exclusive_lock: boolean }): VendorMethod => ({
  description: `Test if the value of bar is ${word}`,
  http_methods: ['POST'],
  ...o,
  check({ bar }) {
    if (!bar) throw new MissingParameterValue(`Parameter 'bar' not passed to method '${name}'.`)
  },
  call: async (_task, { bar }) => bar === word,
})

/** @source Ironic drivers/modules/fake.py FakeVendorB */
export const fakeVendor: VendorInterface = {
  name: 'fake',
  properties: { B1: 'B1 description. Required.', B2: 'B2 description. Required.' },
  validate() {},
  methods: {
    second_method: testOf('second_method', 'kazoo', { async: true, require_exclusive_lock: true }),
    third_method_sync: testOf('third_method_sync', 'meow', { async: false, require_exclusive_lock: true }),
    fourth_method_shared_lock: testOf('fourth_method_shared_lock', 'woof', {
      async: true,
      require_exclusive_lock: false,
    }),
    log_passthrough: {
      description: 'Test pass-through to wait.',
      http_methods: ['POST'],
      async: true,
      require_exclusive_lock: true,
      call: async (task, args) => task.log.debug('vendor method', { args }),
    },
  },
  steps: [
    {
      step: 'log_passthrough',
      of: ['clean'],
      priority: 1,
      again: true,
      async run(task, args) {
        task.log.debug('vendor method', { args })
        return { done: true }
      },
    },
  ],
}
