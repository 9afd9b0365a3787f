/** The steps of SECURITY.md, "Hardening", in its order. */

import { isLoopback } from '@appliance/ground/networks'
import { publicOf } from '@appliance/registry-mirror/settings'
import { problemsOf } from '../check-settings.ts'
import { accountStep, encryptionStep, forwardingStep, unitStep } from './box.ts'
import { open, type Step, taken } from './step.ts'

const configuration: Step = {
  name: 'The configuration has no error',
  look(settings) {
    const [problem] = [...problemsOf(settings), ...settings.plugins.failures.map(({ reason }) => reason)]
    if (problem === undefined) return taken(settings.file ?? 'no configuration file, all by default')
    return open(problem, 'rackstrap config check tells all of them.')
  },
}

const users: Step = {
  name: 'The API knows who asks',
  look({ config: { DEFAULT, api } }) {
    if (DEFAULT.auth_strategy !== 'noauth') return taken(`[DEFAULT] auth_strategy is ${DEFAULT.auth_strategy}`)
    if (isLoopback(api.host_ip)) return taken(`it listens on ${api.host_ip} and its unix socket alone`)
    return open(`whoever reaches ${api.host_ip} may do all`, 'Set [DEFAULT] auth_strategy = http_basic.')
  },
}

const tls: Step = {
  name: 'Nobody reads along',
  look({ config: { api } }) {
    if (api.enable_ssl_api) return taken('the API answers in https')
    if (isLoopback(api.host_ip)) return taken(`the API listens on ${api.host_ip} and its unix socket alone`)
    return open(`the API answers on ${api.host_ip} in plain http`, 'Set [api] enable_ssl_api = True.')
  },
}

const agents: Step = {
  name: 'Agents speak TLS',
  look({ config: { agent } }) {
    if (!agent.require_tls) return open('[agent] require_tls is off', 'Set [agent] require_tls = True.')
    if (agent.verify_ca === 'False') return open('[agent] verify_ca is off', 'Set [agent] verify_ca = True.')
    return taken('agents without https are refused')
  },
}

const startedMachines: Step = {
  name: 'Only the machine that was started is answered',
  look({ config: { api } }) {
    const off = (['restrict_lookup', 'check_machine_address', 'check_boot_number'] as const).filter(
      (name) => !api[name],
    )
    if (off.length === 0) return taken('by its address and the number of its boot')
    const names = off.map((name) => `[api] ${name}`).join(', ')
    return open(`off: ${names}`, 'Set them to True, unless a proxy or an image of yours is in the way.')
  },
}

const WIDEST_PREFIX = 8

const reach: Step = {
  name: 'The box asks only where it must',
  look({ config: { DEFAULT } }) {
    const { reachable_networks } = DEFAULT
    const wide = reachable_networks.filter((network) => Number(network.split('/')[1] ?? '128') < WIDEST_PREFIX)
    if (wide.length > 0) {
      return open(`[DEFAULT] reachable_networks has ${wide.join(', ')}`, 'Name the addresses that need it instead.')
    }
    return taken(
      reachable_networks.length === 0 ? 'no address is excepted' : `excepted: ${reachable_networks.join(', ')}`,
    )
  },
}

const checksums: Step = {
  name: 'No md5 for images',
  look: ({ config: { agent } }) =>
    agent.allow_md5_checksum
      ? open(
          'md5 checksums are accepted, as Ironic does',
          'Give images sha256 or sha512, then set [agent] allow_md5_checksum = False.',
        )
      : taken('md5 checksums are refused'),
}

const registry: Step = {
  name: 'The registry knows who pushes',
  look({ config, registry: settings }) {
    const { host_ip, htpasswd_file, token_file } = settings
    if (!config.registry.enabled) return taken('[registry] enabled is off')
    if (isLoopback(host_ip)) return taken(`it listens on ${host_ip} alone`)
    if (config.registry.tls === 'off') return open('[registry] tls is off', 'Set [registry] tls = auto.')
    const [forAll] = publicOf(settings)
    if (forAll !== undefined)
      return open(
        `whoever reaches it pulls with the credentials of [upstream:${forAll.name}]`,
        `Take public out of [upstream:${forAll.name}].`,
      )
    if (htpasswd_file || token_file) return taken('users are known by password or token')
    return open('it has no users', 'Set [registry] htpasswd_file: appliance/OPERATING.md says how.')
  },
}

export const STEPS: readonly Step[] = [
  ...[configuration, users, tls, agents, startedMachines, checksums, reach, registry],
  ...[encryptionStep, accountStep, unitStep(), forwardingStep()],
]
