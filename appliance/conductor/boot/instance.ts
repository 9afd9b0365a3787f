/** What a plugin says its machine is to boot as its instance: checked, and turned into the record. */
import { PxeError, parseKernelParameters } from '@appliance/pxe'
import { InvalidParameterValue } from '../../errors.ts'
import type { InstanceToBoot, ServedFile } from '../../plugin-api/index.ts'
import type { InstanceBoot, InstanceFile } from '../../records/kinds/boot.ts'

/**
 * @throws InvalidParameterValue  parameters that no script can carry, an ISO that is none; Error  a file of another
 * node: a plugin's fault
 */
export function instanceBoot(uuid: string, instance: InstanceToBoot): InstanceBoot {
  if ('iso' in instance) {
    if (instance.iso.format !== 'iso') {
      throw new InvalidParameterValue(
        `The file that node ${uuid} is to boot as an ISO is none by its content (${instance.iso.format}): an ISO 9660 image is expected.`,
      )
    }
    return { kind: 'iso', iso: fileOf(uuid, instance.iso) }
  }
  const { kernel, ramdisks = [], parameters = '' } = instance
  validateParameters(uuid, parameters)
  return {
    kind: 'kernel',
    kernel: fileOf(uuid, kernel),
    ramdisks: ramdisks.map((file) => fileOf(uuid, file)),
    parameters,
  }
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
