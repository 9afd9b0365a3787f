/** What `npm test` has no time for: the way that works on every machine, UEFI, and day 2. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { baremetal } from '../rack/baremetal.ts'
import { run } from '../rack/run-program.ts'
import {
  assertDeployed,
  containerRack,
  createKey,
  deployContainer,
  INSTALL_DEADLINE_MS,
  NAME,
  nextReport,
  onMachine,
  PULL_SECRET,
} from './bootc.ts'
import { assertStartedByEntry, PREPARE_DEADLINE_MS, showNode } from './racks.ts'

const TIMEOUT_MS = PREPARE_DEADLINE_MS + 2 * INSTALL_DEADLINE_MS
const UPGRADE_DEADLINE_S = 900
const CLIENT_DEADLINE_S = INSTALL_DEADLINE_MS / 1000

describe('a host that was installed from a container', () => {
  it('is upgraded through the mirror while upstream is dead, by what a sync set fetched (uefi)', {
    timeout: TIMEOUT_MS,
  }, async (test) => {
    const containers = await containerRack(test, { memory_mib: 1024, firmware: 'uefi' })
    const { rack, image, versions } = containers
    if (versions.kind !== 'real bootc') return test.skip('the stand-in for bootc cannot upgrade')
    const key = await createKey('alice')
    const instance_info = { bootc_install: 'appliance', bootc_authorized_keys: key.text }

    const { timeline, report } = await deployContainer(containers, 0, instance_info)

    test.diagnostic(JSON.stringify(timeline.stages))
    assertDeployed(containers, 'rack-1', report, key.text)
    assert.equal(report.firmware, 'uefi')
    await assertStartedByEntry(rack)

    await rack.upstream?.push(`oci:${versions.layouts[2]}`, NAME)
    await rack.rackstrap(['registry', 'sync'])
    await rack.upstream?.cut()
    test.diagnostic(await onMachine(rack, report.ip, key, 'bootc upgrade', UPGRADE_DEADLINE_S))
    const again = nextReport(rack, 0)
    await onMachine(rack, report.ip, key, 'systemctl --no-block reboot')
    const upgraded = await again

    assert.deepEqual([upgraded.version, upgraded.reference], ['2', image.reference])
    assert.notEqual(upgraded.digest, image.digest)
    assert.equal(upgraded.keys, key.text)
  })
})

describe('a bootable container', () => {
  it('is installed once by the appliance, and written to a second machine while upstream is dead', {
    timeout: TIMEOUT_MS,
  }, async (test) => {
    const containers = await containerRack(test, { machines: 2, memory_mib: 1024, isPrivate: true })
    const key = await createKey('alice')
    const instance_info = {
      ...{ bootc_install: 'appliance', bootc_authorized_keys: key.text },
      image_pull_secret: PULL_SECRET,
    }
    const first = await deployContainer(containers, 0, instance_info)
    await containers.rack.upstream?.cut()

    const second = await deployContainer(containers, 1, instance_info)

    for (const { timeline } of [first, second]) test.diagnostic(JSON.stringify(timeline.stages))
    assertDeployed(containers, 'rack-1', first.report, key.text)
    assertDeployed(containers, 'rack-2', second.report, key.text)
  })
})

describe('a machine', () => {
  it('is rebuilt from what its tag means by now, and cleaned once its instance is taken away', {
    timeout: TIMEOUT_MS + INSTALL_DEADLINE_MS,
  }, async (test) => {
    const containers = await containerRack(test, { memory_mib: 1024 })
    const { rack, versions } = containers
    const key = await createKey('alice')
    const wait = (verb: string) =>
      baremetal(rack.hardware.network.enter, ['node', verb, 'rack-1', '--wait', String(CLIENT_DEADLINE_S)], {
        signal: test.signal,
        timeout_s: CLIENT_DEADLINE_S,
      })
    const first = await deployContainer(containers, 0, {
      bootc_install: 'appliance',
      bootc_authorized_keys: key.text,
    })
    await rack.upstream?.push(`oci:${versions.layouts[2]}`, NAME)

    const again = nextReport(rack, 0, INSTALL_DEADLINE_MS / 1000)
    again.catch(() => {})
    await wait('rebuild')
    const rebuilt = await again

    assert.deepEqual([first.report.version, rebuilt.version, rebuilt.keys], ['1', '2', key.text])
    assert.deepEqual(rebuilt.config_drive, first.report.config_drive)
    assert.equal(Object((await showNode(rack, 'rack-1')).driver_internal_info).container_image.digest, rebuilt.digest)

    await rack.baremetal('node', 'set', 'rack-1', '--automated-clean')
    await wait('undeploy')

    const node = await showNode(rack, 'rack-1')
    assert.deepEqual([node.provision_state, node.power_state, node.last_error], ['available', 'power off', null])
    assert.equal(Object(node.driver_internal_info).container_image, undefined)
    assert.equal(await run('wipefs', ['--noheadings', rack.hardware.machines[0]?.disk ?? '']), '')
  })

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
