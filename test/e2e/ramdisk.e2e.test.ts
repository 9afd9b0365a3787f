/** Machines that write no disk: they boot their instance from the appliance at each start, until they are torn down. */
import assert from 'node:assert/strict'
import { rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import type { Rack } from '../rack/rack.ts'
import { enroll, type Operator, untilHome, untilShown, withLiveRack } from './live.ts'
import { DEPLOY_DEADLINE_MS, PREPARE_DEADLINE_MS } from './racks.ts'

const MEMTEST = '/usr/lib/memtest86+/memtest86+x64.iso'

/** As on a new box that got its records from a backup: the image cache is not among them. */
async function replaceBox({ appliance }: Rack): Promise<void> {
  await appliance.kill()
  const state = join(appliance.options.folder, 'state')
  for (const lost of ['master_images', 'httpboot']) await rm(join(state, lost), { recursive: true })
  await appliance.start(AbortSignal.timeout(60_000))
}

async function isBlank(rack: Rack, index: number): Promise<boolean> {
  return (await stat(rack.hardware.machines[index]?.disk ?? '')).blocks === 0
}

/** What it gets when it asks the next time. */
async function bootsNext(rack: Rack, { put, uuid }: Operator): Promise<unknown> {
  const from = rack.appliance.lines.length
  await put('power', 'power on')
  const isAsking = ({ message, node }: { message: string; node?: unknown }) =>
    message === 'boot script served' && node === uuid
  return (await rack.appliance.waitFor('boot script', isAsking, { timeout_s: 120, from })).boot
}

describe('deploy interface ramdisk', { timeout: PREPARE_DEADLINE_MS + 2 * DEPLOY_DEADLINE_MS }, () => {
  it('boots kernel and ramdisk at each start, also on a box that was replaced, and an ISO beside it', async (test) => {
    await using place = await withLiveRack(test, { machines: 2, screens: true, images: [dirname(MEMTEST)] })
    const { rack, live } = place
    const system = { kernel: `file://${live.kernel}`, ramdisk: `file://${live.ramdisk}` }
    const [one, other] = await Promise.all([
      enroll(rack, 0, { ...system, ramdisk_kernel_arguments: 'console=ttyS0,115200n8 loglevel=3 live=1' }),
      enroll(rack, 1, { boot_iso: `file://${MEMTEST}` }),
    ])

    const home = untilHome(rack, 0)
    await Promise.all([one.provision('active', 'active'), other.provision('active', 'active')])
    await home
    await untilShown(rack, 1, /Memtest86\+ v\d/)
    await other.put('power', 'power off')
    const again = untilHome(rack, 0)
    await replaceBox(rack)
    await one.put('power', 'rebooting')
    await again
    await one.provision('deleted', 'available')

    assert.equal(await bootsNext(rack, one), 'disk')
    assert.deepEqual([await isBlank(rack, 0), await isBlank(rack, 1)], [true, true])
    const asked = rack.appliance.lines.filter(({ message }) => message === 'file of an instance fetched again')
    assert.deepEqual(asked.map(({ field }) => field).sort(), [
      'instance_info/boot_iso',
      'instance_info/kernel',
      'instance_info/ramdisk',
    ])
  })
})
