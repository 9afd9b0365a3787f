/** Boot device, console, and the verbs of management that this appliance's drivers do not have. */
import { z } from 'zod'
import { InvalidParameterValue } from '../../../errors.ts'
import { readBody } from '../../body.ts'
import { requireMinor } from '../../microversions.ts'
import type { ApiParts, App } from '../../parts.ts'
import { flag, text } from '../../schema.ts'
import { nodeOf } from './names.ts'
import { notSupported } from './states.ts'

const BOOT_DEVICE_BODY = z.strictObject({ boot_device: text, persistent: flag.nullable().optional() })
/** Path, first version, and what the driver lacks. */
const UNSUPPORTED = [
  { path: 'states/console', since: 0, extension: 'console' },
  { path: 'states/boot_mode', since: 76, extension: 'set_boot_mode' },
  { path: 'states/secure_boot', since: 76, extension: 'set_secure_boot_state' },
  { path: 'management/inject_nmi', since: 29, extension: 'inject_nmi' },
] as const

export function addManagement(app: App, parts: ApiParts): void {
  const { conductor, config } = parts
  const bootDevice = '/v1/nodes/:node/management/boot_device'
  app.get(bootDevice, async (call) => call.json(await conductor.getBootDevice(nodeOf(call, parts).uuid)))
  app.get(`${bootDevice}/supported`, (call) =>
    call.json({ supported_boot_devices: conductor.supportedBootDevices(nodeOf(call, parts).uuid) }),
  )
  app.put(bootDevice, async (call) => {
    const { uuid } = nodeOf(call, parts)
    const body = await readBody(call, config.api.max_json_body_size, 'boot_device', BOOT_DEVICE_BODY)
    await conductor.setBootDevice(uuid, body.boot_device, body.persistent ?? false)
    return call.body(null, 204)
  })
  app.get('/v1/nodes/:node/states/console', (call) => {
    nodeOf(call, parts)
    return call.json({ console_enabled: false, console_info: null })
  })
  for (const { path, since, extension } of UNSUPPORTED) {
    app.put(`/v1/nodes/:node/${path}`, (call) => {
      requireMinor(call.get('minor'), since)
      throw new InvalidParameterValue(notSupported(nodeOf(call, parts), extension))
    })
  }
}
