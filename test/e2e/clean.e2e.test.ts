/** Cleaning on real parts: what the last tenant left on a machine's disk is gone before the next one gets it. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { diskImage } from '../pxe/ramdisk/agent/disk-images.ts'
import { baremetal } from '../rack/baremetal.ts'
import { enroll } from '../rack/deploy.ts'
import { run } from '../rack/run-program.ts'
import type { Machine } from '../rack/steel/machine.ts'
import { Timeline } from '../rack/timeline.ts'
import { DEPLOY_DEADLINE_MS, PREPARE_DEADLINE_MS, rackFor, showNode } from './racks.ts'

const MIB = 1024 ** 2
const CLIENT_DEADLINE_S = 240
/** The type of a partition with VMware's file system, which many hosts write to at once. */
const VMFS = 'AA31E02A-400F-11DB-9590-000C2911D1B8'

/** What programs of every Linux recognise on it: tables, file systems, as lines. */
async function signaturesOn({ disk }: Machine): Promise<string[]> {
  const whole = await run('wipefs', ['--noheadings', '--output', 'TYPE', disk])
  const first = await run('blkid', [
    '--probe',
    '--offset',
    String(MIB),
    '--output',
    'value',
    '--match-tag',
    'TYPE',
    disk,
  ]).catch(() => '')
  return `${whole}\n${first}`
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
}

/** As a tenant leaves it. */
async function fill({ disk }: Machine): Promise<void> {
  await run('mkfs.ext4', ['-q', '-F', '-E', `offset=${MIB}`, disk, '64M'])
  await run('sfdisk', ['--quiet', disk], { input: 'label: gpt\nstart=2048, size=131072\n' })
}

describe('a machine with something on its disk', () => {
  it('is clean when it is available, after provide and after undeploy, and when somebody asks for it; what others share stays', {
    timeout: PREPARE_DEADLINE_MS + DEPLOY_DEADLINE_MS,
  }, async (test) => {
    const folder = await mkdtemp(join(tmpdir(), 'rackstrap-clean-'))
    test.after(() => rm(folder, { recursive: true }))
    const content = await diskImage('gpt')
    const path = join(folder, 'image.raw')
    await writeFile(path, content)
    const sha256 = createHash('sha256').update(content).digest('hex')
    await using rack = await rackFor(test, { images: [folder], resumes: true })
    const machine = rack.hardware.machines[0]
    assert.ok(machine)
    const timeline = new Timeline({ ...machine.options, ramdisk_bytes: rack.ramdisk.bytes })
    await enroll(rack, timeline, {
      image: { path, sha256, format: 'raw', virtual_bytes: content.length, isOwn: false },
      signal: test.signal,
    })
    const node = (verb: string, ...args: string[]) =>
      baremetal(rack.hardware.network.enter, ['node', verb, 'rack-1', '--wait', String(CLIENT_DEADLINE_S), ...args], {
        signal: test.signal,
        timeout_s: CLIENT_DEADLINE_S,
      })
    const stateOf = async () => {
      const { provision_state, target_provision_state, power_state, last_error, maintenance } = await showNode(
        rack,
        'rack-1',
      )
      return [provision_state, target_provision_state, power_state, last_error, maintenance]
    }
    await rack.baremetal('node', 'set', 'rack-1', '--automated-clean')
    await node('manage')
    await fill(machine)
    assert.deepEqual(await signaturesOn(machine), ['gpt', 'gpt', 'PMBR', 'ext4'])

    await node('provide')

    assert.deepEqual(await stateOf(), ['available', null, 'power off', null, false])
    assert.deepEqual(await signaturesOn(machine), [])

    await node('deploy')
    const deployed = await signaturesOn(machine)
    await node('undeploy')

    assert.ok(deployed.includes('gpt'), deployed.join())
    assert.deepEqual(await stateOf(), ['available', null, 'power off', null, false])
    assert.deepEqual(await signaturesOn(machine), [])

    await node('manage')
    await fill(machine)
    await node('clean', '--clean-steps', '[{"interface": "deploy", "step": "erase_devices_express"}]')

    assert.deepEqual(await stateOf(), ['manageable', null, 'power off', null, false])
    assert.deepEqual(await signaturesOn(machine), [])
    assert.equal(machine.power, 'off')

    await fill(machine)
    await run('sfdisk', ['--quiet', '--part-type', machine.disk, '1', VMFS])
    await assert.rejects(node('provide'))

    const [state, , , last_error] = await stateOf()
    assert.equal(state, 'clean failed')
    assert.match(String(last_error), /VMware VMFS Partition \(GPT\) \(partition 1\) located on device \/dev\/[a-z]+\./)
    assert.deepEqual(await signaturesOn(machine), ['gpt', 'gpt', 'PMBR', 'ext4'])
  })
})
