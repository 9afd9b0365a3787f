/** /v1/nodes/{node}/vmedia: images that the machine sees as disks of its BMC. */
import { z } from 'zod'
import { InvalidParameterValue } from '../../../errors.ts'
import type { VirtualMediaDevice } from '../../../plugin-api/interfaces.ts'
import { readBody } from '../../body.ts'
import { servedSince } from '../../not-served.ts'
import type { ApiParts, App } from '../../parts.ts'
import { readQuery } from '../../query.ts'
import { commaList, text } from '../../schema.ts'
import { nodeOf } from './names.ts'

const SINCE = 89
const SHOWN_SINCE = 93
const DEVICES = ['disk', 'cdrom', 'floppy'] as const satisfies readonly VirtualMediaDevice[]
/** @source Ironic common/image_publisher.py VMEDIA_SUPPORTED_URL_SCHEMES */
const SCHEMES = ['http', 'https', 'nfs', 'cifs', 'smb']
const oneOf = <T extends string>(names: readonly T[]) => z.enum(names, `expected one of ${names.join(', ')}`)
/** @source Ironic api/controllers/v1/node.py VMEDIA_ATTACH_VALIDATOR */
const BODY = z.strictObject({
  device_type: oneOf(DEVICES),
  image_url: text,
  // Whoever serves it: the BMC is given the address as it stands.
  image_download_source: oneOf(['http', 'local', 'swift']).optional(),
})

export function addVmedia(app: App, parts: ApiParts): void {
  const { conductor, config } = parts
  const path = '/v1/nodes/:node/vmedia'
  // Whatever the method.
  app.use(path, async (call, next) => {
    servedSince(call, SINCE)
    await next()
  })
  app.get(path, async (call) => {
    servedSince(call, SHOWN_SINCE)
    return call.json(await conductor.management.virtualMedia(nodeOf(call, parts).uuid))
  })
  app.post(path, async (call) => {
    const { device_type, image_url } = await readBody(call, config.api.max_json_body_size, 'vmedia', BODY)
    await conductor.management.attachVirtualMedia(nodeOf(call, parts).uuid, device_type, urlOf(image_url))
    return call.body(null, 204)
  })
  app.delete(path, async (call) => {
    const { device_types } = readQuery(call, { device_types: { schema: commaList } })
    const devices = device_types?.length ? checked(device_types) : undefined
    await conductor.management.detachVirtualMedia(nodeOf(call, parts).uuid, devices)
    return call.body(null, 204)
  })
}

/** @throws InvalidParameterValue */
function urlOf(image_url: string): URL {
  const url = URL.canParse(image_url) ? new URL(image_url) : undefined
  const scheme = url?.protocol.slice(0, -1) ?? ''
  if (url && SCHEMES.includes(scheme) && url.hostname !== '') return url
  throw new InvalidParameterValue(
    `Unsupported or missing URL scheme: ${scheme}. Expected an address with one of ${SCHEMES.join(', ')}.`,
  )
}

/** @throws InvalidParameterValue */
function checked(given: readonly string[]): VirtualMediaDevice[] {
  const invalid = given.filter((name) => !(DEVICES as readonly string[]).includes(name))
  if (invalid.length === 0) return given as VirtualMediaDevice[]
  throw new InvalidParameterValue(
    `Invalid device type(s) ${invalid.join(', ').slice(0, 100)} (valid are ${DEVICES.join(', ')})`,
  )
}
