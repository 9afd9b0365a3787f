/**
 * The deploy step write_image: a whole-disk raw image onto the root device, verified, with its config drive. A table
 * of contents of it.
 */
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { decodeConfigDrive } from '../disk/config-drive.ts'
import { writeConfigDrive } from '../disk/config-drive-partition.ts'
import { diskPath, openDisk, rereadPartitions } from '../disk/disk-file.ts'
import { eraseEnd, eraseMetadata } from '../disk/erase-metadata.ts'
import { usableEnd, writeGpt } from '../disk/gpt.ts'
import { diskIdentifier } from '../disk/mbr.ts'
import { readPartitionTable } from '../disk/partition-table.ts'
import { AgentError, messageOf } from '../errors.ts'
import type { Disk } from '../hardware/disks.ts'
import { gib } from '../hardware/root-device.ts'
import { type FetchOptions, fetchImage, fetching } from './fetch-image.ts'
import type { ImageInfo } from './image-info.ts'
import { writeFailed } from './pour.ts'

export type WriteImageOptions = Omit<FetchOptions, 'onTouch'> & { configdrive: string | undefined }
export type Written = { message: string; root_uuid: string }

/**
 * @throws AgentError  one sentence that says what to do; nothing was written when the image or the disk was refused,
 * and a disk that was written to is left without a partition table: nothing unverified, half or without its config
 * drive may boot
 */
export async function writeImage(task: WriteImageOptions): Promise<Written> {
  const { image, disk, root, screen } = task
  refuseWhatIsNotRaw(image)
  await refuseReadOnly(root, disk)
  const encoded = task.configdrive ?? image.configdrive
  const configDrive = encoded ? await decodeConfigDrive(encoded, fetching(task.options)) : undefined
  screen.say(`Writing image ${image.id} to ${disk.name} (${gib(disk.size)}${disk.model ? `, ${disk.model}` : ''})`)
  let touched = false
  const onTouch = () => {
    touched = true
  }
  const root_uuid = await fetchImage({ ...task, onTouch })
    .then((size_bytes) => finishDisk(task, size_bytes, configDrive))
    .catch(async (error: unknown) => {
      if (touched) await makeUnbootable(task)
      throw error
    })
  // The machine boots from the disk soon, and then somebody else reads it.
  await rereadPartitions(diskPath(root, disk), task.programs).catch((error: unknown) => screen.note(messageOf(error)))
  return { message: `image (${image.id}) written to device ${disk.name} root_uuid=${root_uuid}`, root_uuid }
}

/** An ISO that boots from a disk, too, has a partition table of its own. */
const AS_IT_COMES: ReadonlySet<string> = new Set(['raw', 'gpt', 'iso'])

function refuseWhatIsNotRaw(image: ImageInfo): void {
  const refuse = (found: string, next: string) => {
    throw new AgentError(
      'InvalidImage',
      `Image ${image.id} ${found}: this ramdisk writes whole-disk raw images only. ${next}`,
    )
  }
  if (image.disk_format !== undefined && !AS_IT_COMES.has(image.disk_format)) {
    refuse(
      `has disk_format ${image.disk_format}`,
      'Set [DEFAULT] force_raw_images = True, so that it is converted before it is served.',
    )
  }
  if (image.image_type === 'partition') refuse('is a partition image', 'Use a whole-disk image.')
  if (image.has_proxies)
    refuse('is to be fetched through a proxy', 'Set image_download_source = local, so that the conductor fetches it.')
}

async function refuseReadOnly(root: string, disk: Disk): Promise<void> {
  const flag = await readFile(join(root, 'sys/block', basename(disk.name), 'ro'), 'utf8').catch(() => '0')
  if (flag.trim() !== '1') return
  throw writeFailed(disk, 'it is read-only. Unlock it, or name another disk in properties/root_device')
}

async function makeUnbootable({ root, disk, screen }: WriteImageOptions): Promise<void> {
  try {
    await using file = await openDisk(root, disk)
    await eraseMetadata(file)
    screen.say(`${disk.name} has no partition table now, so that nothing half-written boots from it.`)
  } catch (error) {
    // Why the image could not be written is what matters; a disk that takes nothing is a part of it.
    screen.say(`${disk.name} may hold a part of the image: erasing its partition table failed: ${messageOf(error)}`)
  }
}

/** Partition table to the end of the disk, config drive, and the identifier that Ironic asks for. */
async function finishDisk(
  task: WriteImageOptions,
  size_bytes: number,
  configDrive: Buffer | undefined,
): Promise<string> {
  const { root, disk, screen, image } = task
  await using file = await openDisk(root, disk)
  const table = await readPartitionTable(file).catch((error: unknown) => {
    throw noPartitions(disk, messageOf(error), error)
  })
  const last = Math.max(0, ...(table?.partitions.map(({ end_bytes }) => end_bytes) ?? []))
  if (!table || last === 0) throw noPartitions(disk, `image ${image.id} holds none`)
  const end = table.kind === 'gpt' ? usableEnd(table.gpt, file) : disk.size
  if (last > end) {
    const found = `the image's last partition ends at byte ${last}, and the disk has room up to ${end}`
    throw writeFailed(disk, `it is too small: ${found}. Name a larger disk in properties/root_device`)
  }
  // An older table's copy, or a RAID's signature, must not come to light there.
  await eraseEnd(file, Math.max(last, size_bytes))
  if (table.kind === 'gpt') await writeGpt(file, table.gpt)
  if (configDrive) {
    const number = await writeConfigDrive(file, configDrive)
    screen.say(`Config drive written to partition ${number} (${Math.ceil(configDrive.length / 1024)} KiB)`)
  }
  await file.file.sync()
  return diskIdentifier(file)
}

const noPartitions = (disk: Disk, why: string, cause?: unknown) =>
  new AgentError(
    'DeploymentError',
    `No partitions found on the device ${disk.name} after writing the image: ${why}. Is it a whole-disk image?`,
    { cause },
  )
