/** /v1/nodes/{node}/management: the boot device and the NMI; and the console. */
import { z } from 'zod'
import { readArguments } from '../../body.ts'
import { servedSince } from '../../not-served.ts'
import type { ApiParts, App } from '../../parts.ts'
import { flag, text } from '../../schema.ts'
import { nodeOf } from './names.ts'

const BOOT_DEVICE_BODY = z.strictObject({ boot_device: text, persistent: flag.nullable().optional() })
const CONSOLE_BODY = z.strictObject({ enabled: flag })

export function addManagement(app: App, parts: ApiParts): void {
  const { conductor, config } = parts
  const bootDevice = '/v1/nodes/:node/management/boot_device'
  app.get(bootDevice, async (call) => call.json(await conductor.getBootDevice(nodeOf(call, parts).uuid)))
  app.get(`${bootDevice}/supported`, (call) =>
    call.json({ supported_boot_devices: conductor.supportedBootDevices(nodeOf(call, parts).uuid) }),
  )
  app.put(bootDevice, async (call) => {
    const { uuid } = nodeOf(call, parts)
    const body = await readArguments(call, config.api.max_json_body_size, 'boot_device', BOOT_DEVICE_BODY)
    await conductor.setBootDevice(uuid, body.boot_device, body.persistent ?? false)
    return call.body(null, 204)
  })
  // The second one is how Ironic's own routing answers, too, and its tempest plugin asks.
  for (const path of ['/v1/nodes/:node/states/console', '/v1/nodes/states/console/:node']) addConsole(app, parts, path)
  app.put('/v1/nodes/:node/management/inject_nmi', async (call) => {
    servedSince(call, 29)
    await conductor.management.injectNmi(nodeOf(call, parts).uuid)
    return call.body(null, 204)
  })
}

function addConsole(app: App, parts: ApiParts, path: string): void {
  const { conductor, config } = parts
  app.get(path, async (call) => {
    const console_info = await conductor.console.get(nodeOf(call, parts).uuid)
    return call.json({ console_enabled: console_info !== null, console_info })
  })
  app.put(path, async (call) => {
    const { uuid } = nodeOf(call, parts)
    const { enabled } = await readArguments(call, config.api.max_json_body_size, 'console', CONSOLE_BODY)
    await conductor.console.set(uuid, enabled)
    call.header('location', `${call.get('base')}/v1/nodes/${uuid}/states/console`)
    return call.body(null, 202)
  })
}
