/**
 * What a box answers machines, for tests that attack it from its rack: the real listener, its real handlers, a real
 * conductor. Who asks has an address of his own on the loopback.
 */
import { mkdirSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createRamdiskApi } from '../../appliance/api/app.ts'
import { filesKeyOf, giveFilesKey } from '../../appliance/conductor/boot/files-key.ts'
import { createImages } from '../../appliance/images/create-images.ts'
import type { Images } from '../../appliance/images/images.ts'
import { createLog } from '../../appliance/log.ts'
import { createMetrics } from '../../appliance/metrics.ts'
import { startRackServer } from '../../appliance/rack-server.ts'
import { publishedHandler } from '../../appliance/serve/published-handler.ts'
import { ramdiskHandler } from '../../appliance/serve/ramdisk-handler.ts'
import { createIsLeased, createPxe } from '../../pxe/index.ts'
import { configOf, startTrial, type Trial } from '../appliance/conductor/trial.ts'
import { configOf as imagesConfig } from '../appliance/images/images-in-folder.ts'
import { stateFolder } from '../appliance/records/state-folder.ts'
import { exampleConfig } from '../pxe/example-config.ts'
import { layRamdisk } from '../pxe/ramdisk-on-paper.ts'

export const MACHINE = '127.0.0.20'
export const NEIGHBOUR = '127.0.0.66'
const CHECKED = '[api]\ncheck_boot_number = True\ncheck_machine_address = True\n'

type Answer = { status: number; text: string }
export type RackSide = {
  trial: Trial
  state_path: string
  port: number
  /** A folder for files that file:// may name. */
  store: string
  images: Images
  /** @param from  the address of who asks */
  ask(from: string, path: string, body?: object): Promise<Answer>
}

/** @param dhcp  who gives the addresses: dnsmasq of the box, whose lease file is read, or another server */
export async function startRackSide(t: TestContext, dhcp: 'ours' | 'another', ini = CHECKED): Promise<RackSide> {
  const state_path = stateFolder(t)
  let port = 0
  const http_url = () => `http://127.0.0.1:${port}`
  const dhcp_provider = dhcp === 'ours' ? 'dnsmasq' : 'none'
  const ramdisk_path = layRamdisk(join(state_path, 'ramdisk'))
  const pxeConfig = () => exampleConfig(state_path, { dhcp_provider, http_url: http_url(), ramdisk_path })
  const trial = await startTrial(t, { state_path, ini, isLeased: createIsLeased(pxeConfig()), api_url: http_url })
  const { conductor, store } = trial
  const config = configOf(ini)
  const log = createLog('debug', (line) => void trial.lines.push(JSON.parse(line)))
  const handlers: Parameters<typeof startRackServer>[1][number][] = []
  const server = await startRackServer({ host: '127.0.0.1', port: 0 }, handlers, log)
  t.after(() => server.close())
  port = server.port
  const images = createImages({
    ...{ config: imagesConfig(state_path), log, http_url },
    door: {
      keyOf: (uuid) => filesKeyOf({ store }, uuid),
      giveKey: (uuid) => giveFilesKey({ store }, uuid),
      mayFetch: (uuid, key = '', address) => conductor.mayFetch(uuid, address, key),
    },
  })
  t.after(() => images.close())
  const pxe = createPxe(pxeConfig(), { log, machineBootOf: (mac, address) => conductor.bootAsked(mac, address) })
  handlers.push(
    (...call) => pxe.handle(...call),
    (...call) => images.handle(...call),
    publishedHandler(conductor, log),
    ramdiskHandler(createRamdiskApi({ conductor, store, config, log, metrics: createMetrics() }), http_url()),
  )
  const files = join(state_path, 'store')
  mkdirSync(files)
  return { trial, state_path, port, store: files, images, ask: (from, path, body) => ask({ port, from, path, body }) }
}

function ask({ port, from, path, body }: { port: number; from: string; path: string; body: object | undefined }) {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const headers = { 'content-type': 'application/json', 'x-openstack-ironic-api-version': '1.68' }
  const given = { host: '127.0.0.1', port, localAddress: from, path, headers, method: body ? 'POST' : 'GET' }
  const call = request({ ...given, agent: false }, async (response) => {
    let text = ''
    for await (const part of response.setEncoding('latin1')) text += part
    resolve({ status: response.statusCode ?? 0, text })
  })
  call.on('error', reject)
  call.end(body && JSON.stringify(body))
  return promise
}
