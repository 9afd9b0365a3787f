/** The agent's options on the kernel's command line: ironic-python-agent's ipa-* parameters. Reads no file. */

export type AgentOptions = {
  api_urls: string[]
  global_request_id: string | undefined
  listen_host: string | undefined
  listen_port: number
  advertise_host: string | undefined
  advertise_port: number
  lookup_timeout_s: number
  lookup_interval_s: number
  disk_wait_attempts: number
  disk_wait_delay_s: number
  hardware_initialization_delay_s: number
  insecure: boolean
  agent_token: string | undefined
  image_download_connection_timeout_s: number
  image_download_connection_retries: number
  image_download_connection_retry_interval_s: number
  image_download_max_duration_s: number
  ironic_api_version: string | undefined
  http_request_timeout_s: number
  tls_min_version: 'TLSv1.2' | 'TLSv1.3'
  tls_certificate_curve: 'P-256' | 'P-384' | 'P-521'
  /** Whom to tell what the machine is made of; none: nobody asks. */
  inspection_callback_urls: string[]
  inspection_collectors: string[]
  inspection_dhcp_wait_timeout_s: number
  inspection_dhcp_all_interfaces: boolean
  collect_lldp: boolean
  lldp_timeout_s: number
  /** A deploy goes on where no boot entry could be made. */
  ignore_bootloader_failure: boolean
  /** Disks with cluster file systems are not written to. */
  guard_special_filesystems: boolean
  /** A discard whose places read zeros afterwards counts as an erasing. */
  enable_discard_erase: boolean
  debug: boolean
  /** As it came: the card that booted the machine. */
  bootif: string | undefined
}

const CURVES = { p256: 'P-256', p384: 'P-384', p521: 'P-521' } as const

/** Words of the command line; later ones win. Double quotes keep spaces together, as the kernel has it. */
function parseWords(text: string): Map<string, string> {
  const words = [...text.matchAll(/([^\s"=]+)(?:=("[^"]*"|\S*))?/g)]
  return new Map(words.map(([, key = '', value = '']) => [key, value.replace(/^"|"$/g, '')]))
}

/**
 * @param complain  gets one sentence for each value that cannot be taken; the default is used instead
 * @source ironic-python-agent config.py, names and defaults
 */
export function parseKernelParameters(text: string, complain: (problem: string) => void): AgentOptions {
  const words = parseWords(text)
  const value = (name: string) => words.get(`ipa-${name}`) || undefined
  const number = (name: string, standard: number, least = 0) => {
    const given = value(name)
    if (given === undefined) return standard
    const parsed = Number(given)
    if (Number.isFinite(parsed) && parsed >= least) return parsed
    complain(`ipa-${name} is '${given}': expected a number from ${least}; ${standard} is used`)
    return standard
  }
  const flag = (name: string) => /^(1|true|yes|on|t|y)$/i.test(value(name) ?? '')
  return {
    api_urls: urlsIn('api-url', value('api-url'), complain),
    global_request_id: value('global-request-id'),
    listen_host: value('listen-host'),
    listen_port: number('listen-port', 9999, 0),
    advertise_host: value('advertise-host'),
    advertise_port: number('advertise-port', 0, 0),
    lookup_timeout_s: number('lookup-timeout', 600),
    lookup_interval_s: number('lookup-interval', 1),
    disk_wait_attempts: number('disk-wait-attempts', 10),
    disk_wait_delay_s: number('disk-wait-delay', 3),
    hardware_initialization_delay_s: number('hardware-initialization-delay', 0),
    insecure: flag('insecure'),
    agent_token: value('agent-token'),
    image_download_connection_timeout_s: number('image-download-connection-timeout', 60, 1),
    image_download_connection_retries: number('image-download-connection-retries', 9),
    image_download_connection_retry_interval_s: number('image-download-connection-retry-interval', 10),
    image_download_max_duration_s: number('image-download-max-duration', 0),
    ironic_api_version: value('ironic-api-version'),
    http_request_timeout_s: number('http-request-timeout', 30, 1),
    tls_min_version: value('tls-min-version') === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
    tls_certificate_curve: CURVES[value('tls-certificate-curve') as keyof typeof CURVES] ?? 'P-384',
    inspection_callback_urls: inspectionUrls(words, complain),
    inspection_collectors: listOf(value('inspection-collectors') ?? 'default,logs'),
    inspection_dhcp_wait_timeout_s: number('inspection-dhcp-wait-timeout', 60),
    inspection_dhcp_all_interfaces: flag('inspection-dhcp-all-interfaces'),
    collect_lldp: flag('collect-lldp'),
    lldp_timeout_s: number('lldp-timeout', 30),
    ignore_bootloader_failure: flag('ignore-bootloader-failure'),
    // Only a clear no is one.
    guard_special_filesystems: !/^(0|false|no|off|f|n)$/i.test(value('guard-special-filesystems') ?? ''),
    enable_discard_erase: flag('enable-discard-erase'),
    debug: flag('debug'),
    bootif: words.get('BOOTIF') || undefined,
  }
}

const listOf = (text: string) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean)

/**
 * Named, or where collectors are named, the API's own. @source ironic-python-agent inspector.py is_enabled, _get_urls
 */
function inspectionUrls(words: Map<string, string>, complain: (problem: string) => void): string[] {
  const named = words.get('ipa-inspection-callback-url')
  if (named) return urlsIn('inspection-callback-url', named, complain)
  if (!words.get('ipa-inspection-collectors')) return []
  return urlsIn('api-url', words.get('ipa-api-url'), () => {}).map((url) => `${url}/v1/continue_inspection`)
}

function urlsIn(name: string, text: string | undefined, complain: (problem: string) => void): string[] {
  const urls = (text ?? '').split(',').filter(Boolean)
  const bad = urls.filter((url) => !/^https?:\/\/.+/.test(url) || !URL.canParse(url))
  for (const url of bad) complain(`ipa-${name} has '${url}': expected an address that begins with http:// or https://`)
  return urls.filter((url) => !bad.includes(url)).map((url) => url.replace(/\/+$/, ''))
}
