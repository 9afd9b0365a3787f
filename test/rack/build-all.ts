/**
 * Builds what the end-to-end tests share, before they run side by side: the deploy ramdisk, the small Debian with a
 * stand-in for an installer, the bootable container.
 */
import process from 'node:process'
import { npmGone } from '../../appliance/cli/parent.ts'
import { ensureBootcImage } from './bootc-image/build.ts'
import { createDisplay } from './command/display.ts'
import { prepare } from './command/prepare.ts'
import { ensureInstallation } from './installer/build.ts'
import { ensureOsImage } from './os-image/build.ts'
import { ensureRamdisk } from './ramdisk.ts'

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())
void npmGone().then(() => stop.abort())
const display = createDisplay(process.stdout)
try {
  await prepare(display, stop.signal, [
    { name: 'ramdisk', make: (signal, _progress, tell) => ensureRamdisk(signal, { tell }) },
    {
      name: 'image',
      make: async (signal, _progress, tell) => {
        await ensureOsImage(signal, tell)
        await ensureInstallation(signal, { tell })
      },
    },
    { name: 'container', make: (signal, _progress, tell) => ensureBootcImage(signal, tell) },
  ])
} catch (error) {
  display.say(`failed: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
}
process.exit()
