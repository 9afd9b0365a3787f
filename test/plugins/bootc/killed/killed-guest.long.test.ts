/**
 * kill -9 while a real guest installs an image: the guest goes with the appliance, what it left goes at the next
 * start, and the deploy goes on.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { FakeAgent } from '../../../appliance/conductor/fake-agent.ts'
import { ConductorProcess } from '../../../appliance/conductor/killed-process.ts'
import { makeBootable } from '../../../appliance/images/format/bootable-file.ts'
import { ensureRamdisk } from '../../../rack/ramdisk.ts'
import { suiteRegistry } from '../../../registry-mirror/registry.ts'
import { untilTrue } from '../hostile/box.ts'
import { busyboxOf, pushHostile } from '../hostile/image.ts'

const PROGRAM = join(import.meta.dirname, 'appliance.ts')
const MAC = '52:54:00:00:00:01'
const OFFERS = ['bootc_install', 'bootc_finish', 'write_image'].map((step) => {
  return { interface: 'deploy', step, priority: 0, reboot_requested: false }
})
const PREPARE_MS = 600_000
/** A busy box takes its time to get that far. */
const SCRIPT = 'echo beginning; sleep 30; gunzip -c /disk.gz | dd of=/dev/vda bs=1M; sync; echo installed'

describe('an appliance that is killed while a guest installs', { timeout: 1_800_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'rackstrap-killed-'))
  const upstream = suiteRegistry()
  let conductor: ConductorProcess | undefined
  after(async () => {
    await conductor?.kill()
    rmSync(folder, { recursive: true, force: true })
  })

  it('leaves no QEMU running, clears away what it left at its next start, and installs anew', async (t) => {
    const { folder: ramdisk } = await ensureRamdisk(AbortSignal.timeout(PREPARE_MS))
    const disk = join(folder, 'disk')
    await makeBootable(disk)
    const content = { busybox: busyboxOf(ramdisk), script: SCRIPT, disk: readFileSync(disk) }
    await pushHostile(upstream, 'org/app', content)
    const start = () =>
      ConductorProcess.startProgram(PROGRAM, [folder, 'runs', `http://127.0.0.1:${upstream.port}`, ramdisk])
    const first = await start()
    conductor = first
    const instance_info = { image_source: 'oci://up.example/org/app:v1', bootc_install: 'appliance' }
    const uuid = await first.ask<string>('create', MAC, instance_info)
    await first.ask('provision', uuid, 'active')
    const isInstalling = (process: ConductorProcess) => () =>
      process.lines.some(({ note }) => note === 'installing: beginning')
    await untilTrue('the install', isInstalling(first))
    const [machine = ''] = machinesOf(first.pid)
    assert.notEqual(machine, '')

    await first.kill()
    await untilTrue('the end of QEMU', () => !existsSync(`/proc/${machine}`))
    const left = [readdirSync(join(folder, 'guests')).length, readdirSync(join(folder, 'master_images')).length]
    const second = await start()
    conductor = second
    await untilTrue('the install', isInstalling(second))
    const during = [readdirSync(join(folder, 'guests')).length, readdirSync(join(folder, 'master_images')).length]
    await untilTrue('the machine to be written', () =>
      second.lines.some((line) => line.node === uuid && line.to === 'wait call-back'),
    )
    const agent = new FakeAgent({ mac: MAC, offers: OFFERS })
    t.after(() => agent.close())
    await agent.boot(second)
    await second.untilNode(uuid, 'active')

    // Of one guest each, and not of two.
    assert.deepEqual(
      [left, during],
      [
        [1, 1],
        [1, 1],
      ],
    )
    assert.deepEqual(agent.given, [
      'get_deploy_steps',
      'write_image',
      'bootc_finish',
      'install_bootloader',
      'sync',
      'power_off',
    ])
    assert.deepEqual(readdirSync(join(folder, 'guests')), [])
    assert.match(readdirSync(join(folder, 'master_images')).join(), /^[0-9a-f]{64}$/)
    assert.deepEqual(machinesOf(second.pid), [])
  })
})

const machinesOf = (pid: number) =>
  spawnSync('pgrep', ['-P', String(pid), '-f', 'rackstrap-guest=1'], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter(Boolean)
