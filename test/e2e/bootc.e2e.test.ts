/**
 * A container becomes the operating system of a machine, from the appliance's own mirror. More machines of the same
 * image, rebuilds and upgrades are in bootc.long.test.ts.
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { SECRET } from '../rack/upstream-registry.ts'
import { assertDeployed, containerRack, createKey, deployContainer, INSTALL_DEADLINE_MS, PULL_SECRET } from './bootc.ts'
import { PREPARE_DEADLINE_MS, showNode } from './racks.ts'

const MEMORY_MIB = 1024

describe('a bootable container', () => {
  it('is pulled once, installed by the appliance, and written to a machine', {
    timeout: PREPARE_DEADLINE_MS + INSTALL_DEADLINE_MS,
  }, async (test) => {
    const containers = await containerRack(test, { memory_mib: MEMORY_MIB, isPrivate: true })
    const { rack, image } = containers
    const [alice, bob] = [await createKey('alice'), await createKey('bob')]
    const keys = `${alice.text}\n${bob.text}`
    const instance_info = { bootc_install: 'appliance', bootc_authorized_keys: keys, image_pull_secret: PULL_SECRET }

    const first = await deployContainer(containers, 0, instance_info)

    test.diagnostic(`first: ${JSON.stringify(first.timeline.stages)}`)
    assertDeployed(containers, 'rack-1', first.report, keys)
    const sent = rack.upstream?.bytesSent ?? 0
    assert.ok(sent < image.bytes * 1.05, `${sent} bytes came from upstream for an image of ${image.bytes}`)
    const node = await showNode(rack, 'rack-1')
    assert.deepEqual([node.provision_state, node.power_state, node.last_error], ['active', 'power on', null])
    const { reference, digest } = image
    assert.deepEqual(Object(node.driver_internal_info).container_image, { reference, digest, manifest_digest: digest })

    const log = await readFile(rack.appliance.options.log, 'utf8')
    for (const secret of ['rack-password', PULL_SECRET, SECRET])
      assert.ok(!log.includes(secret), `${secret} stands in the log`)
  })
})
