/** Checks who may ask the API, and how: [DEFAULT] auth_strategy with [api] host_ip, roles, hosts and TLS. */
import { isIP } from 'node:net'
import { isLoopback } from '@appliance/ground/networks'
import { hostIn } from '../access/hosts.ts'
import { problemOfRoles } from '../access/users.ts'
import type { Config } from '../config/options.ts'
import { ApplianceError } from '../errors.ts'
import { createLog } from '../log.ts'
import { checkApiTls } from './api-tls.ts'
import { problemOfNetworkData } from './network-data-schema.ts'

const SILENT_LOG = createLog('error', () => {})

/** What is no address is reported with the addresses. */
const isOpen = ({ DEFAULT, api }: Config) =>
  DEFAULT.auth_strategy === 'noauth' && isIP(api.host_ip) > 0 && !isLoopback(api.host_ip)

/** @returns one sentence each */
export function problemsOfApi(config: Config): string[] {
  const { api } = config
  const strange = api.allowed_hosts.find((name) => hostIn(name.includes(':') ? `[${name}]` : name) === undefined)
  return [
    isOpen(config) && !api.allow_open
      ? `[api] host_ip is ${api.host_ip}, and [DEFAULT] auth_strategy is noauth: whoever reaches it could do all. Set auth_strategy = http_basic, or host_ip = 127.0.0.1; [api] allow_open = True leaves it open.`
      : undefined,
    problemOfRoles(api.roles),
    strange === undefined
      ? undefined
      : `[api] allowed_hosts has "${strange}": expected a host name or an address, without a port.`,
    problemOfTls(config),
    problemOfNetworkData(config),
  ].filter((problem) => problem !== undefined)
}

/** For log, health and config check. */
export function warningOfApi(config: Config): string | undefined {
  const { DEFAULT, api } = config
  if (isOpen(config)) {
    if (!api.allow_open) return undefined
    return `[api] allow_open is True, and [DEFAULT] auth_strategy is noauth: whoever reaches ${api.host_ip} may do all with every node.`
  }
  if (DEFAULT.auth_strategy === 'noauth' || api.enable_ssl_api || isLoopback(api.host_ip)) return undefined
  return `[api] enable_ssl_api is False, and host_ip is ${api.host_ip}: passwords cross that network in plain http. Set enable_ssl_api = True, unless a proxy on this box speaks https.`
}

function problemOfTls(config: Config): string | undefined {
  try {
    checkApiTls(config, SILENT_LOG)
    return undefined
  } catch (error) {
    if (error instanceof ApplianceError) return error.message
    throw error
  }
}
