/**
 * Systems that nobody here made, booted from the appliance: Debian's installer, the ISO of memtest86+ by UEFI, ISOs of
 * GRUB by BIOS and UEFI. The quick half is ramdisk.e2e.test.ts.
 */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { ensureDebianInstaller } from '../rack/debian-installer.ts'
import { run } from '../rack/run-program.ts'
import { FIRMWARES } from '../rack/steel/machine.ts'
import { enroll, machineOf, untilHome, untilShown, withLiveRack } from './live.ts'
import { DEPLOY_DEADLINE_MS, PREPARE_DEADLINE_MS } from './racks.ts'

const MEMTEST = '/usr/lib/memtest86+/memtest86+x64.iso'
const GRUB_CONFIG = `serial --unit=0 --speed=115200
terminal_output serial
cat ($root)/hello
sleep 300
`

/** @returns the path of an ISO whose GRUB shows a file of it */
async function grubIso(folder: string): Promise<string> {
  const content = join(folder, 'content')
  await mkdir(join(content, 'boot/grub'), { recursive: true })
  await writeFile(join(content, 'boot/grub/grub.cfg'), GRUB_CONFIG)
  await writeFile(join(content, 'hello'), 'this is a file of the ISO\n')
  const iso = join(folder, 'grub.iso')
  await run('grub-mkrescue', ['-o', iso, content], { signal: AbortSignal.timeout(60_000) })
  return iso
}

/** The share of a picture (P6) that is of memtest86+'s blue. */
function blueOf(picture: Buffer): number {
  const [, width = '0', height = '0'] = /^P6\n(\d+) (\d+)\n255\n/.exec(picture.toString('latin1', 0, 30)) ?? []
  const pixels = Number(width) * Number(height)
  const colours = picture.subarray(picture.length - pixels * 3)
  let blue = 0
  for (let at = 0; at < colours.length; at += 3) {
    if (colours[at] === 0 && colours[at + 1] === 0 && (colours[at + 2] ?? 0) > 128) blue++
  }
  return pixels === 0 ? 0 : blue / pixels
}

for (const firmware of FIRMWARES) {
  describe(`a machine with ${firmware} firmware`, { timeout: PREPARE_DEADLINE_MS + 4 * DEPLOY_DEADLINE_MS }, () => {
    let folder: string
    let iso: string
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'rackstrap-iso-'))
      iso = await grubIso(folder)
    })
    after(() => rm(folder, { recursive: true }))

    it("boots Debian's installer to its first screen, a live system, and the ISOs of others", async (test) => {
      const installer = await ensureDebianInstaller(AbortSignal.timeout(PREPARE_DEADLINE_MS))
      const images = [installer.folder, folder, dirname(MEMTEST)]
      await using place = await withLiveRack(test, { firmware, machines: 4, screens: true, images })
      const { rack, live } = place
      const kernelOf = ({ kernel, ramdisk }: { kernel: string; ramdisk: string }) => ({
        kernel: `file://${kernel}`,
        ramdisk: `file://${ramdisk}`,
        ramdisk_kernel_arguments: 'console=ttyS0,115200n8',
      })
      const isoOf = (path: string) => ({ boot_iso: `file://${path}` })
      const systems = [kernelOf(installer), kernelOf(live), isoOf(iso), isoOf(MEMTEST)]
      const nodes = systems.map((fields, index) => enroll(rack, index, fields))
      const [installing, living, grub, memtest] = await Promise.all(nodes)

      await installing?.provision('active', 'active')
      await untilShown(rack, 0, /Select a language/)
      await installing?.put('power', 'power off')
      const home = untilHome(rack, 1)
      await living?.provision('active', 'active')
      const path = await home
      await living?.put('power', 'power off')
      await grub?.provision('active', 'active')
      await untilShown(rack, 2, /this is a file of the ISO/)
      await grub?.put('power', 'power off')
      await memtest?.provision('active', 'active')
      const machine = machineOf(rack, 3)
      const end_ms = Date.now() + DEPLOY_DEADLINE_MS
      while (blueOf(await machine.screenshot()) < 0.5) {
        assert.ok(Date.now() < end_ms, `the screen of memtest86+ did not come; see ${machine.options.console}`)
        await pause(500)
      }

      assert.equal(path, `/phone-home?system=live&firmware=${firmware}`)
    })
  })
}
