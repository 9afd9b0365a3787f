/** What `npm test` has no time for: the way that works on every machine. */
import { describe, it } from 'node:test'
import { assertDeployed, containerRack, createKey, deployContainer, INSTALL_DEADLINE_MS } from './bootc.ts'
import { PREPARE_DEADLINE_MS } from './racks.ts'

const TIMEOUT_MS = PREPARE_DEADLINE_MS + 2 * INSTALL_DEADLINE_MS

describe('a machine', () => {
  it('installs a container by itself, with the store of podman on its own disk', {
    timeout: TIMEOUT_MS,
  }, async (test) => {
    const containers = await containerRack(test, { memory_mib: 2048 })
    const key = await createKey('alice')
    const instance_info = { bootc_install: 'machine', bootc_authorized_keys: key.text }

    const { timeline, report } = await deployContainer(containers, 0, instance_info)

    test.diagnostic(JSON.stringify(timeline.stages))
    assertDeployed(containers, 'rack-1', report, key.text)
  })
})
