/**
 * Reads and checks what driver_info says of a BMC that speaks Redfish. Names and rules are Ironic's; never touches the
 * BMC.
 * @source Ironic drivers/modules/redfish/utils.py parse_driver_info
 */
import { isIPv6 } from 'node:net'
import { readBoolean } from '@appliance/ground/booleans'
import type { Config } from '../../config/options.ts'
import { InvalidParameterValue, MissingParameterValue } from '../../errors.ts'
import type { BoundSecrets } from '../../plugin-api/bound-secrets.ts'
import type { Node } from '../../records/kinds/node.ts'
import { infoText } from '../driver-info.ts'

const AUTH_TYPES = ['basic', 'session', 'auto'] as const
const TLS_VERSIONS = ['1.1', '1.2', '1.3'] as const
const DEFAULT_ROOT = '/redfish/v1/'

type RedfishNode = Pick<Node, 'uuid' | 'driver_info'>
type RedfishDefaults = Pick<Config['redfish'], 'auth_type' | 'verify_ca' | 'tls_minimum_version' | 'tls_ciphers'>

/** How to reach one BMC, checked. */
export type RedfishAccess = {
  node: string
  /** Scheme, host and port. */
  origin: string
  /** Path of the service root, with a slash at its end. */
  root: string
  /** Path of the ComputerSystem; undefined: the only one there is. */
  system: string | undefined
  username: string
  password: string
  /** Whether the certificate is checked, or the file or folder of the CAs that it is checked against. */
  verify_ca: boolean | string
  auth_type: (typeof AUTH_TYPES)[number]
  tls_minimum_version: (typeof TLS_VERSIONS)[number] | undefined
  tls_ciphers: string | undefined
}

export const REDFISH_PROPERTIES: Readonly<Record<string, string>> = {
  redfish_address:
    'The URL address to the Redfish controller. It must include the authority portion of the URL. If the scheme is missing, https is assumed. For example: https://mgmt.vendor.com. If a path is added, it will be used as the API endpoint root_prefix. Required.',
  redfish_system_id:
    'The canonical path to the ComputerSystem resource that the driver will interact with, for example /redfish/v1/Systems/1. Only required if the BMC manages more than one ComputerSystem; else the only one there is is taken.',
  redfish_username: 'User account with admin/server-profile access privilege. Optional.',
  redfish_password: 'User account password. Optional.',
  redfish_verify_ca:
    'Either a Boolean value, or a path to a file or directory with certificates of trusted CAs. If True the certificate of the BMC is verified; if False it is not. Defaults to True. Optional.',
  redfish_auth_type:
    'Redfish HTTP client authentication method. Can be "basic", "session" or "auto". Defaults to [redfish] auth_type. Optional.',
  redfish_tls_minimum_version:
    'Minimum TLS protocol version for connections to the BMC. Can be "1.1", "1.2", or "1.3". Defaults to [redfish] tls_minimum_version. Optional.',
  redfish_tls_ciphers: 'OpenSSL cipher list for connections to the BMC. Defaults to [redfish] tls_ciphers. Optional.',
}

/** Who switches the check of the certificate off may listen on the way. */
export const REDFISH_BOUND_SECRETS: readonly BoundSecrets[] = [
  {
    secrets: ['driver_info/redfish_password'],
    address: ['driver_info/redfish_address', 'driver_info/redfish_verify_ca'],
    defaults: { 'driver_info/redfish_verify_ca': 'True' },
  },
]

/** @throws MissingParameterValue, InvalidParameterValue  with Ironic's words where it has the check */
export function redfishAccessOf(node: RedfishNode, defaults: RedfishDefaults): RedfishAccess {
  const info = node.driver_info
  if (!info.redfish_address) {
    throw new MissingParameterValue(
      `Missing the following Redfish properties in node ${node.uuid} driver_info: ['redfish_address']`,
    )
  }
  return {
    node: node.uuid,
    ...addressOf(node),
    system: systemOf(node),
    username: infoText(info, 'redfish_username'),
    password: infoText(info, 'redfish_password'),
    verify_ca: verifyCaOf(node, defaults),
    auth_type: oneOf(node, 'redfish_auth_type', AUTH_TYPES, defaults.auth_type) ?? 'auto',
    tls_minimum_version: oneOf(node, 'redfish_tls_minimum_version', TLS_VERSIONS, defaults.tls_minimum_version),
    tls_ciphers: infoText(info, 'redfish_tls_ciphers') || defaults.tls_ciphers,
  }
}

function addressOf(node: RedfishNode): Pick<RedfishAccess, 'origin' | 'root'> {
  const given = node.driver_info.redfish_address
  const refusal = () =>
    new InvalidParameterValue(
      `Invalid Redfish address ${String(given)} set in driver_info/redfish_address on node ${node.uuid}`,
    )
  if (typeof given !== 'string' || /[\s\p{Cc}]/u.test(given)) throw refusal()
  const host = isIPv6(given) ? `[${given}]` : given
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(host) ? host : `https://${host}`
  const url = URL.canParse(full) ? new URL(full) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === '') throw refusal()
  // The account has fields of its own, which are kept secret.
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') throw refusal()
  return { origin: url.origin, root: url.pathname === '/' ? DEFAULT_ROOT : url.pathname.replace(/\/*$/, '/') }
}

function systemOf(node: RedfishNode): string | undefined {
  const given = node.driver_info.redfish_system_id
  if (given === undefined || given === null || given === '') return undefined
  // A path alone: the account is for one address.
  if (typeof given === 'string' && !/[\s\p{Cc}\\]|^[a-z][a-z0-9+.-]*:|^\/\//iu.test(given)) return given
  throw new InvalidParameterValue(
    `Invalid value "${String(given)}" set in driver_info/redfish_system_id on node ${node.uuid}. ` +
      'The value should be a path (string) to the resource that the driver will interact with. For example: /redfish/v1/Systems/1',
  )
}

/** Whether a file is there is seen when it is read. */
function verifyCaOf(node: RedfishNode, { verify_ca }: RedfishDefaults): boolean | string {
  const given = node.driver_info.redfish_verify_ca ?? true
  const value = typeof given === 'string' ? (readBoolean(given) ?? given) : given
  if (value === true) return verify_ca ?? true
  if (value === false || (typeof value === 'string' && value.startsWith('/'))) return value
  throw new InvalidParameterValue(
    `Invalid value type set in driver_info/redfish_verify_ca on node ${node.uuid}. ` +
      `The value should be a Boolean or the path to a file/directory, not "${String(given)}"`,
  )
}

function oneOf<T extends string>(
  node: RedfishNode,
  key: string,
  valid: readonly T[],
  otherwise: string | undefined,
): T | undefined {
  const given = infoText(node.driver_info, key) || otherwise
  if (given === undefined) return undefined
  const found = valid.find((each) => each === given)
  if (found !== undefined) return found
  throw new InvalidParameterValue(
    `Invalid value "${given}" set in driver_info/${key} on node ${node.uuid}. ` +
      `The value should be one of ${valid
        .map((each) => `"${each}"`)
        .join(', ')
        .replace(/, ([^,]*)$/, ' or $1')}.`,
  )
}
