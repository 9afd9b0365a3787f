/**
 * Reads and checks what driver_info says of a BMC that speaks IPMI. Names and rules are Ironic's; never touches the
 * BMC.
 */

import { isIP } from 'node:net'
import { readBoolean } from '@appliance/ground/booleans'
import { InvalidParameterValue, MissingParameterValue } from '../../errors.ts'
import type { BoundSecrets } from '../../plugin-api/bound-secrets.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import { infoText } from '../driver-info.ts'

const PRIV_LEVELS = ['ADMINISTRATOR', 'CALLBACK', 'OPERATOR', 'USER'] as const
const PROTOCOL_VERSIONS = ['2.0', '1.5'] as const
const DEFAULT_PORT = 623
/**
 * AES-128 with SHA1, then with SHA256. Without a number ipmitool asks the BMC for its list, which costs 10 s a command
 * with some.
 */
const DEFAULT_CIPHER_SUITES = ['3', '17']
/** IPMI 2.0 section 22.30: 20 bytes; 1.5 had 16. ipmitool refuses a longer one. */
const PASSWORD_LIMIT_BYTES = { '2.0': 20, '1.5': 16 } as const
/** IPMI 2.0 section 22.28. */
const USERNAME_LIMIT_BYTES = 16
const KG_KEY_LIMIT_BYTES = 20

/** driver_info key, ipmitool's option. @source Ironic's BRIDGING_OPTIONS */
const BRIDGING = [
  ['ipmi_local_address', '-m'],
  ['ipmi_transit_channel', '-B'],
  ['ipmi_transit_address', '-T'],
  ['ipmi_target_channel', '-b'],
  ['ipmi_target_address', '-t'],
] as const
const BRIDGING_NEEDS = {
  no: [],
  single: ['ipmi_target_channel', 'ipmi_target_address'],
  dual: ['ipmi_target_channel', 'ipmi_target_address', 'ipmi_transit_channel', 'ipmi_transit_address'],
} as const

type IpmiNode = Pick<Node, 'uuid' | 'driver_info'>

/** How to reach one BMC, checked. */
export type IpmiAccess = {
  node: string
  address: string
  port: number
  username: string
  password: string
  /** Bytes as hex digits; empty: none. */
  kg_key: string
  /** ipmitool's options, all but the password, the Kg key and the cipher suite. */
  args: readonly string[]
  /** Those that may be tried, in this order; none with IPMI 1.5. */
  cipher_suites: readonly string[]
  force_boot_device: boolean
  disable_boot_timeout: boolean
}

export const IPMI_PROPERTIES: Readonly<Record<string, string>> = {
  ipmi_address: 'IP address or hostname of the node. Required.',
  ipmi_password: 'password. Optional.',
  ipmi_hex_kg_key: 'Kg key for IPMIv2 authentication. The key is expected in hexadecimal format. Optional.',
  ipmi_port: 'remote IPMI RMCP port. Optional.',
  ipmi_priv_level: `privilege level; default is ADMINISTRATOR. One of ${PRIV_LEVELS.join(', ')}. Optional.`,
  ipmi_username: 'username; default is NULL user. Optional.',
  ipmi_bridging: 'bridging_type; default is "no". One of "single", "dual", "no". Optional.',
  ipmi_transit_channel: 'transit channel for bridged request. Required only if ipmi_bridging is set to "dual".',
  ipmi_transit_address: 'transit address for bridged request. Required only if ipmi_bridging is set to "dual".',
  ipmi_target_channel:
    'destination channel for bridged request. Required only if ipmi_bridging is set to "single" or "dual".',
  ipmi_target_address:
    'destination address for bridged request. Required only if ipmi_bridging is set to "single" or "dual".',
  ipmi_local_address:
    'local IPMB address for bridged requests. Used only if ipmi_bridging is set to "single" or "dual". Optional.',
  ipmi_protocol_version: 'the version of the IPMI protocol; default is "2.0". One of "1.5", "2.0". Optional.',
  ipmi_force_boot_device:
    'Whether the boot device is told to the BMC each time the machine is turned on, because the BMC forgets it over a power cycle; default value is False. Optional.',
  ipmi_disable_boot_timeout:
    'Whether the 60 second timeout for booting is disabled by a raw IPMI command before a boot device is set; default is [ipmi] disable_boot_timeout. Optional.',
  ipmi_accept_insecure:
    'Whether cipher suite 0 may be used, by which neither side proves who it is; default value is False. Optional.',
  ipmi_cipher_suite:
    'The number of a cipher suite to use: 3 (AES-128 with SHA1) or 17 (AES-128 with SHA256); by default the appliance finds out. Optional.',
}

/** Through a bridge, another controller answers. */
export const IPMI_BOUND_SECRETS: readonly BoundSecrets[] = [
  {
    secrets: ['driver_info/ipmi_password', 'driver_info/ipmi_hex_kg_key'],
    address: [
      ...(['driver_info/ipmi_address', 'driver_info/ipmi_port', 'driver_info/ipmi_protocol_version'] as const),
      'driver_info/ipmi_bridging',
      ...BRIDGING.map(([key]) => `driver_info/${key}` as const),
    ],
    defaults: {
      'driver_info/ipmi_port': String(DEFAULT_PORT),
      'driver_info/ipmi_protocol_version': '2.0',
      'driver_info/ipmi_bridging': 'no',
    },
  },
]

/** Of nodes that say nothing of it: options of [ipmi]. */
export type IpmiDefaults = { disable_boot_timeout: boolean; cipher_suite_versions: readonly string[] }
const DEFAULTS: IpmiDefaults = { disable_boot_timeout: true, cipher_suite_versions: [] }

/** @throws MissingParameterValue, InvalidParameterValue  with Ironic's words where it has the check */
export function ipmiAccessOf(node: IpmiNode, defaults: IpmiDefaults = DEFAULTS): IpmiAccess {
  const info = node.driver_info
  if (!infoText(info, 'ipmi_address')) {
    throw new MissingParameterValue("Missing the following IPMI credentials in node's driver_info: ['ipmi_address'].")
  }
  const version = oneOf(
    infoText(info, 'ipmi_protocol_version') || '2.0',
    PROTOCOL_VERSIONS,
    (value, valid) => `Invalid IPMI protocol version value ${value}, the valid value can be one of ${valid}`,
  )
  const username = infoText(info, 'ipmi_username')
  const port = portOf(info)
  const access = {
    node: node.uuid,
    address: addressOf(node),
    port,
    username,
    password: infoText(info, 'ipmi_password'),
    kg_key: kgKeyOf(node),
    force_boot_device: flag(info, 'ipmi_force_boot_device', false),
    disable_boot_timeout: flag(info, 'ipmi_disable_boot_timeout', defaults.disable_boot_timeout),
  }
  refuseTooLong(node, 'ipmi_username', username, USERNAME_LIMIT_BYTES)
  refuseTooLong(node, 'ipmi_password', access.password, PASSWORD_LIMIT_BYTES[version])
  const args = [
    ...['-I', version === '2.0' ? 'lanplus' : 'lan', '-H', access.address, '-p', String(port)],
    ...['-L', privilegeOf(info)],
    ...(username ? ['-U', username] : []),
    // Left to itself, ipmitool gives a password in clear to a BMC that offers nothing better.
    ...(version === '1.5' && access.password !== '' ? ['-A', 'MD5'] : []),
    ...bridgingArgs(info),
  ]
  return { ...access, args, cipher_suites: cipherSuitesOf(node, version, defaults) }
}

function flag(info: Json, key: string, otherwise: boolean): boolean {
  const value = infoText(info, key)
  return value === '' ? otherwise : (readBoolean(value) ?? false)
}

function oneOf<T extends string>(
  value: string,
  valid: readonly T[],
  refusal: (value: string, valid: string) => string,
): T {
  const found = valid.find((word) => word === value)
  if (found === undefined) throw new InvalidParameterValue(refusal(value, valid.join(', ')))
  return found
}

/**
 * Labels of letters, digits, hyphens and underscores, never a hyphen first: so an address can be no option of ipmitool
 * either. Names in the DNS may have underscores, and BMCs do (RFC 2181 section 11).
 */
const HOSTNAME =
  /^(?=.{1,255}$)(?=.*[a-z0-9])[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i

function addressOf(node: IpmiNode): string {
  const address = infoText(node.driver_info, 'ipmi_address')
  if (isIP(address) || HOSTNAME.test(address)) return address
  throw new InvalidParameterValue(
    `Invalid IPMI address "${address}" for node ${node.uuid}. Must be a valid IP address or hostname.`,
  )
}

function portOf(info: Json): number {
  const given = infoText(info, 'ipmi_port')
  if (given === '') return DEFAULT_PORT
  const port = /^\d{1,5}$/.test(given) ? Number(given) : Number.NaN
  if (port >= 1 && port <= 65535) return port
  throw new InvalidParameterValue(`ipmi_port "${given}" is not a valid port.`)
}

function refuseTooLong(node: IpmiNode, key: string, value: string, limit_bytes: number): void {
  const size_bytes = Buffer.byteLength(value)
  if (size_bytes <= limit_bytes) return
  throw new InvalidParameterValue(
    `driver_info/${key} of node ${node.uuid} has ${size_bytes} bytes: IPMI takes at most ${limit_bytes}.`,
  )
}

function privilegeOf(info: Json): string {
  return oneOf(
    infoText(info, 'ipmi_priv_level') || 'ADMINISTRATOR',
    PRIV_LEVELS,
    (value, valid) => `Invalid privilege level value:${value}, the valid value can be one of ${valid}`,
  )
}

/** IPMI 2.0 table 22-20: nobody proves who he is, neither the BMC nor this box. */
const WITHOUT_AUTHENTICATION = 0

function cipherSuitesOf(
  node: IpmiNode,
  version: (typeof PROTOCOL_VERSIONS)[number],
  { cipher_suite_versions }: IpmiDefaults,
): readonly string[] {
  const info = node.driver_info
  const given = infoText(info, 'ipmi_cipher_suite')
  if (given !== '' && !/^\d{1,3}$/.test(given)) {
    throw new InvalidParameterValue(`Invalid cipher suite ${given}, expected a number`)
  }
  if (version === '2.0' && given !== '' && Number(given) === WITHOUT_AUTHENTICATION && !acceptsInsecure(info)) {
    throw new InvalidParameterValue(
      `driver_info/ipmi_cipher_suite of node ${node.uuid} is ${given}, by which nobody proves who he is: set it to 3 or 17. ` +
        'When this BMC offers nothing else, set driver_info/ipmi_accept_insecure to true.',
    )
  }
  if (version === '2.0' && given !== '') return [given]
  if (version === '2.0') {
    // The last one is tried first. @source Ironic choose_cipher_suite
    const listed = cipher_suite_versions.filter((suite) => Number(suite) !== WITHOUT_AUTHENTICATION).toReversed()
    return listed.length > 0 ? listed : DEFAULT_CIPHER_SUITES
  }
  if (given === '') return []
  throw new InvalidParameterValue('Cipher suites cannot be used with IPMI 1.5')
}

const acceptsInsecure = (info: Json) => flag(info, 'ipmi_accept_insecure', false)

/** Zeros at its end are what a shorter key is filled up with. IPMI 2.0 section 13.31. */
function kgKeyOf({ uuid, driver_info }: IpmiNode): string {
  const key = infoText(driver_info, 'ipmi_hex_kg_key')
  if (key.length % 2 !== 0) throw new InvalidParameterValue('Number of ipmi_hex_kg_key characters is not even')
  if (!/^[0-9a-f]*$/i.test(key) || key.length > 2 * KG_KEY_LIMIT_BYTES) {
    throw new InvalidParameterValue(
      `driver_info/ipmi_hex_kg_key: expected at most ${2 * KG_KEY_LIMIT_BYTES} hex digits.`,
    )
  }
  const kept = key.replace(/(?:00)+$/, '')
  if (!/^(?:..)*00/.test(kept)) return kept
  throw new InvalidParameterValue(
    `driver_info/ipmi_hex_kg_key of node ${uuid} has a zero byte before its end: ipmitool takes such a key on its command line only, ` +
      'where every program of this box reads it. Give the BMC a Kg key without the byte 00.',
  )
}

function bridgingArgs(info: Json): string[] {
  const given = infoText(info, 'ipmi_bridging') || 'no'
  if (!Object.hasOwn(BRIDGING_NEEDS, given)) {
    throw new InvalidParameterValue(
      `Invalid value for ipmi_bridging: ${given}, the valid value can be one of: ['single', 'dual', 'no']`,
    )
  }
  const type = given as keyof typeof BRIDGING_NEEDS
  const needs: readonly string[] = BRIDGING_NEEDS[type]
  const missing = needs.filter((key) => infoText(info, key) === '')
  if (missing.length > 0) throw new MissingParameterValue(`['${missing.join("', '")}'] not provided`)
  if (type === 'no') return []
  return BRIDGING.filter(
    ([key]) => infoText(info, key) !== '' && (needs.includes(key) || key === 'ipmi_local_address'),
  ).flatMap(([key, option]) => {
    const value = infoText(info, key)
    if (/^(0x[0-9a-f]{1,2}|\d{1,3})$/i.test(value)) return [option, value]
    throw new InvalidParameterValue(`driver_info/${key} is "${value}": expected a number, such as 0x20.`)
  })
}
