/**
 * Install once, write many: the appliance runs the image's own bootc in a virtual machine, and keeps the disk in the
 * image cache.
 */
import type { ContainerAccess, Json, ServedImage } from '@appliance/core/plugin-api'
import { type Deploy, registryOf } from './image.ts'
import type { BootcTask } from './options.ts'
import { installedBytes, MIB, scratchBytes } from './sizes.ts'
import { LAYERS } from './ways.ts'

/** From power-on until the step begins, on a busy box without KVM. The step has limits of its own, and tells more. */
const BOOT_S = 300

/** Everything that the bytes depend on; nothing of one machine, and nothing secret. */
const keyOf = ({ image: { reference, digest, architecture, ...image } }: Deploy): string =>
  `bootc install of ${reference} ${digest} ${architecture}, ${installedBytes(image) / MIB} MiB, layout 1`

/** One install for each key, however many machines wait. @throws what the guest says */
export async function installOnce(task: BootcTask, deploy: Deploy): Promise<ServedImage> {
  // The image's own code runs beside the one that tells how it went.
  return task.images.make(keyOf(deploy), install(task, deploy), { bootable: true })
}

const install =
  (task: BootcTask, deploy: Deploy): Parameters<BootcTask['images']['make']>[1] =>
  async (path, signal, progress) => {
    const { image } = deploy
    const { guest, options } = task

    if (!guest)
      throw task.failure('This appliance cannot start virtual machines any more. Set bootc_install to "machine".')
    const over = new AbortController()
    try {
      const access = await registryOf(task).access(image, { for: 'guest', until: over.signal })
      const told = await guest.run({
        layers: LAYERS,
        step: 'bootc_install',
        args: { ...installArguments(deploy, access, options.install_timeout), scratch: '/dev/vdb' },
        disks: [{ path, size_bytes: installedBytes(image) }, { size_bytes: scratchBytes(image) }],
        memory_mib: options.guest_memory,
        timeout_s: options.install_timeout + BOOT_S,
        mirror: true,
        ...{ signal, progress },
      })
      task.log.info('container installed', { reference: image.reference, ...figuresOf(told) })
    } finally {
      over.abort()
    }
  }

const FIGURES = ['memory_before_mib', 'memory_least_mib', 'pull_s', 'install_s'] as const

/** Of what a guest tells, the numbers are for people; nothing is decided by them. */
const figuresOf = (told: unknown): Json =>
  Object.fromEntries(FIGURES.map((name) => [name, Object(told)[name]]).filter(([, value]) => Number.isFinite(value)))

export const installArguments = ({ image, wanted }: Deploy, mirror: ContainerAccess, timeout_s: number): Json => ({
  reference: image.reference,
  digest: image.digest,
  mirror: { ...mirror },
  size_bytes: image.size_bytes,
  layers: image.layers,
  tpm2_luks: wanted.tpm2_luks,
  timeout_s,
})
