/**
 * The deploy agent: finds its node, tells Ironic that it is there, executes its commands. Speaks
 * ironic-python-agent's protocol.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as pause } from 'node:timers/promises'
import type { AgentContext } from './commands/context.ts'
import { messageOf } from './errors.ts'
import { isGuest, runAsGuest } from './guest.ts'
import { macAddresses } from './hardware/network-cards.ts'
import { identityOf } from './identity.ts'
import { inspect } from './inspect/inspect.ts'
import { parseKernelParameters } from './kernel-parameters.ts'
import { createPrograms } from './programs.ts'
import { shownUrl } from './protocol/http.ts'
import { createIronicApi } from './protocol/ironic-api.ts'
import { waitForLookup } from './protocol/lookup.ts'
import { reachApi } from './reach-api.ts'
import { createScreen } from './screen.ts'
import { serve } from './serve.ts'

/** Of the protocol that it speaks, ironic-python-agent's, and its own. */
const VERSION = '13.0.0+rackstrap.1'

/**
 * Ends when the agent is locked down, or has handed the machine over.
 * @param root  where /proc, /sys, /dev, /run and the programs are: `/`, or a folder that stands for a machine
 */
async function main(root: string): Promise<void> {
  const started_at = Date.now() / 1000
  const screen = createScreen(root)
  const programs = createPrograms(root)
  const kernel_parameters = readFileSync(join(root, 'proc/cmdline'), 'utf8')
  const options = parseKernelParameters(kernel_parameters, (problem) => screen.say(problem))
  if (isGuest(kernel_parameters)) return runAsGuest({ root, screen, programs, options })
  const { inspection_callback_urls } = options
  if (options.api_urls.length === 0 && inspection_callback_urls.length === 0) {
    throw new Error('The kernel parameter ipa-api-url names no Ironic API: there is nobody to ask what to do.')
  }
  // The API's address is what is before the path of the report.
  const reports = inspection_callback_urls.map((url) => url.replace(/\/v1\/continue_inspection$/, ''))
  const urls = options.api_urls.length > 0 ? options.api_urls : reports
  screen.say(`Rackstrap deploy agent ${VERSION}, asking ${urls.map(shownUrl).join(', ')}`)
  const api = createIronicApi({
    urls,
    timeout_s: options.http_request_timeout_s,
    tls: { insecure: options.insecure, minVersion: options.tls_min_version },
    agent_version: VERSION,
    version: options.ironic_api_version,
    global_request_id: options.global_request_id,
  })
  await pause(options.hardware_initialization_delay_s * 1000)
  const localAddress = await reachApi(api, { root, screen, programs, timeout_s: options.lookup_timeout_s })
  if (inspection_callback_urls.length > 0) {
    const inspected = inspect({ root, options, programs, screen })
    // Who waits for the agent beside the report, waits all the same.
    await (options.api_urls.length > 0 ? inspected.catch((error: unknown) => screen.say(messageOf(error))) : inspected)
  }
  if (options.api_urls.length === 0) return
  const lookup = await waitForLookup(api, () => macAddresses(root), screen, {
    timeout_s: options.lookup_timeout_s,
    interval_s: options.lookup_interval_s,
  })
  screen.say(`This machine is node ${lookup.node.uuid}`)
  const agent: AgentContext = {
    root,
    options,
    programs,
    screen,
    node: lookup.node,
    md5_enabled: lookup.config.agent_md5_checksum_enable !== false,
    root_uuid: undefined,
    lockDown: () => {},
    handOver: () => {},
  }
  const identity = await identityOf(lookup, { address: options.advertise_host ?? localAddress, api, agent })
  await serve({ agent, api, identity, lookup, status: { started_at, version: VERSION } })
}

main(process.argv[2] ?? '/').then(
  () => process.exit(0),
  (error: unknown) => {
    // The last line is what init shows.
    console.error(error)
    console.error(messageOf(error))
    process.exit(1)
  },
)
