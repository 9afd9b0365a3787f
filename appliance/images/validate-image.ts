/** What is wrong with a node's image fields, in Ironic's words. Touches no network. */
import type { Config } from '../config/options.ts'
import { InvalidParameterValue, MissingParameterValue } from '../errors.ts'
import { acceptedFormats } from './format/image-format.ts'
import type { ImageRequest } from './images.ts'
import { missingChecksum, type StatedChecksum, statedChecksum } from './source/checksum.ts'
import { type ImageSource, parseImageSource } from './source/image-source.ts'

export type ImageOrder = {
  source: ImageSource
  image_source: string
  /** undefined: a file:// image that states none. */
  stated: StatedChecksum | undefined
  /** image_disk_format, when it says one. */
  declared_format: string | undefined
  /** To be fetched by the appliance, whatever it is. */
  cached: boolean
  /** Authorization header for the upstream. */
  authorization: string | undefined
}

const DOWNLOAD_SOURCES = ['swift', 'http', 'local']
const IMAGE_TYPES = ['partition', 'whole-disk']

const text = (value: unknown) => (typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined)

/** @throws InvalidParameterValue, MissingParameterValue. @source Ironic agent.py AgentDeploy.validate */
export function readImageOrder(
  request: Pick<ImageRequest, 'node_uuid' | 'instance_info' | 'driver_info'>,
  config: Config,
): ImageOrder {
  const { node_uuid, instance_info } = request
  const image_source = text(instance_info.image_source)
  if (image_source === undefined) {
    throw new MissingParameterValue(
      `Node ${node_uuid} failed to validate deploy image info. Some parameters were missing. Missing are: ['instance_info.image_source']`,
    )
  }
  refuseImageType(instance_info.image_type)
  const source = parseImageSource(image_source, config.conductor.file_url_allowed_paths)
  const stated = statedChecksum(instance_info, { node_uuid, allow_md5: config.agent.allow_md5_checksum })
  if (stated === undefined && source.kind === 'http') throw missingChecksum(node_uuid)
  return {
    source,
    image_source,
    stated,
    declared_format: declaredFormat(instance_info.image_disk_format, node_uuid, config),
    cached: downloadSource(request, config) === 'local' || source.kind === 'file',
    authorization: text(instance_info.image_request_authorization_secret),
  }
}

/** A format that no image can have here is told before a machine is started. */
function declaredFormat(image_disk_format: unknown, node_uuid: string, config: Config): string | undefined {
  if (image_disk_format === undefined || image_disk_format === null || image_disk_format === '') return undefined
  const declared = text(image_disk_format)?.toLowerCase()
  const accepted = acceptedFormats(config.conductor.permitted_image_formats)
  if (declared !== undefined && accepted.includes(declared)) return declared
  throw new InvalidParameterValue(
    `instance_info/image_disk_format of node ${node_uuid} is ${JSON.stringify(image_disk_format)?.slice(0, 150)}: expected one of ${accepted.join(', ')}. Convert another image (qemu-img convert -O qcow2), set its address and checksum, and image_disk_format to qcow2.`,
  )
}

function refuseImageType(image_type: unknown): void {
  if (image_type === undefined || image_type === null || image_type === '') return
  if (!IMAGE_TYPES.includes(String(image_type))) {
    throw new InvalidParameterValue(`Invalid image_type "${String(image_type)}", valid are ${IMAGE_TYPES.join(', ')}`)
  }
}

/** instance_info, else driver_info, else [agent]. Ironic's "swift" hands an address on, as http does. */
function downloadSource(request: Pick<ImageRequest, 'instance_info' | 'driver_info'>, config: Config): string {
  const asked =
    text(request.instance_info.image_download_source) ??
    text(request.driver_info.image_download_source) ??
    config.agent.image_download_source
  if (DOWNLOAD_SOURCES.includes(asked)) return asked
  throw new InvalidParameterValue(
    `Invalid value for image_download_source: "${asked}". Valid values are swift, http or local.`,
  )
}
