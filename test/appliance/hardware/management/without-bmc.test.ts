/** Management interfaces that reach no BMC. */
import { describe } from 'node:test'
import { fakeManagement } from '../../../../appliance/hardware/management/fake.ts'
import { noopManagement } from '../../../../appliance/hardware/management/noop.ts'
import { testManagementInterface } from '../../../conformance/management-interface.ts'
import { nodeOnPaper } from '../node-on-paper.ts'

for (const management of [fakeManagement, noopManagement]) {
  describe(`management interface ${management.name}`, () => {
    testManagementInterface(() => ({ management, node: () => nodeOnPaper({ driver: 'fake-hardware' }) }))
  })
}
