/** For machines without methods of their vendor. */
import type { VendorInterface } from '../../plugin-api/interfaces.ts'
import { refuse } from '../unsupported.ts'

export const noVendor: VendorInterface = {
  name: 'no-vendor',
  validate: (task) => refuse(task, 'vendor'),
  methods: {},
}
