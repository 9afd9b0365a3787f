/**
 * What a box answers machines, for tests that attack it from its rack: the real listener, its real handlers, a real
 * conductor. Who asks has an address of his own on the loopback.
 */
import { request } from 'node:http'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createRamdiskApi } from '../../appliance/api/app.ts'
import { createLog } from '../../appliance/log.ts'
import { createMetrics } from '../../appliance/metrics.ts'
import { startRackServer } from '../../appliance/rack-server.ts'
import { publishedHandler } from '../../appliance/serve/published-handler.ts'
import { ramdiskHandler } from '../../appliance/serve/ramdisk-handler.ts'
import { createIsLeased, createPxe } from '../../pxe/index.ts'
import { configOf, startTrial, type Trial } from '../appliance/conductor/trial.ts'
import { stateFolder } from '../appliance/records/state-folder.ts'
import { exampleConfig } from '../pxe/example-config.ts'
import { layRamdisk } from '../pxe/ramdisk-on-paper.ts'

export const MACHINE = '127.0.0.20'
export const NEIGHBOUR = '127.0.0.66'
export const CHECKED = '[api]\ncheck_boot_number = True\ncheck_machine_address = True\n'

export type Answer = { status: number; text: string }
export type RackSide = {
  trial: Trial
  state_path: string
  port: number
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
  const pxe = createPxe(pxeConfig(), { log, machineBootOf: (mac, address) => conductor.bootAsked(mac, address) })
  handlers.push(
    (...call) => pxe.handle(...call),
    publishedHandler(conductor, log),
    ramdiskHandler(createRamdiskApi({ conductor, store, config, log, metrics: createMetrics() }), http_url()),
  )
  return { trial, state_path, port, ask: (from, path, body) => ask({ port, from, path, body }) }
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
