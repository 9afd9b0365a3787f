/** What a plugin says its machine is to boot as its instance: checked, and turned into the record. */
import { PxeError, parseKernelParameters } from '@appliance/pxe'
import { InvalidParameterValue } from '../../errors.ts'
import type { Images } from '../../images/images.ts'
import type { InstanceToBoot, ServedFile } from '../../plugin-api/index.ts'
import type { InstanceBoot, InstanceFile } from '../../records/kinds/boot.ts'

/**
 * @throws InvalidParameterValue  parameters that no script can carry, an ISO that is none; Error  a file of another
 * node: a plugin's fault
 */
export async function instanceBoot(
  images: Pick<Images, 'bootImages'>,
  uuid: string,
  instance: InstanceToBoot,
): Promise<InstanceBoot> {
  if ('iso' in instance) return isoBoot(images, uuid, instance.iso)
  const { kernel, ramdisks = [], parameters = '' } = instance
  validateParameters(uuid, parameters)
  return {
    kind: 'kernel',
    kernel: fileOf(uuid, kernel),
    ramdisks: ramdisks.map((file) => fileOf(uuid, file)),
    parameters,
  }
}

async function isoBoot(images: Pick<Images, 'bootImages'>, uuid: string, iso: ServedFile): Promise<InstanceBoot> {
  if (iso.format !== 'iso') {
    throw new InvalidParameterValue(
      `The file that node ${uuid} is to boot as an ISO is none by its content (${iso.format}): an ISO 9660 image is expected.`,
    )
  }
  const file = fileOf(uuid, iso)
  const inside = await images.bootImages(file.name)
  // iPXE reads neither kind of emulated disk out of an ISO; where a hard disk ends, the catalogue does not tell.
  const startable = inside.filter(({ emulates }) => emulates !== 'hard disk')
  if (startable.length === 0) {
    const found = inside.length === 0 ? 'no boot catalogue (El Torito)' : 'a boot image that emulates a hard disk only'
    throw new InvalidParameterValue(
      `The ISO that node ${uuid} is to boot has ${found}: no machine starts from it. Take an ISO that boots from a CD drive.`,
    )
  }
  const bios = startable.find(({ firmware }) => firmware === 'bios')
  return { kind: 'iso', iso: file, floppy: bios?.emulates === 'floppy' }
}

/** @throws InvalidParameterValue  what no script can carry */
export function validateParameters(uuid: string, parameters: string): void {
  try {
    parseKernelParameters(parameters)
  } catch (error) {
    if (!(error instanceof PxeError)) throw error
    throw new InvalidParameterValue(`The kernel of node ${uuid} cannot be started: ${error.message}`, { cause: error })
  }
}

function fileOf(uuid: string, { name, href, field, checksum }: ServedFile): InstanceFile {
  if (name.startsWith(`${uuid}.`)) return { name, href_secret: href, field, checksum }
  throw new Error(
    `boot.instance was given ${JSON.stringify(name)} for node ${uuid}: what images.file gave for this node is expected.`,
  )
}
