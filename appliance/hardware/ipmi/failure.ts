/** Turns what ipmitool said into one sentence for the operator: what was found, what to do. Never quotes a password. */
import { MASK } from '@appliance/ground/secret-words'
import type { IpmiAccess } from './access.ts'
import type { Probed, ProbeResult } from './rmcp-probe.ts'

/**
 * Whether the same command may succeed in a moment. patiently: it will, once the BMC is ready; otherwise: with another
 * cipher suite.
 */
type Retry = 'no' | 'once' | 'patiently' | 'otherwise'
export type IpmiFailure = { message: string; retry: Retry }

type Rule = {
  /** In ipmitool's stderr, run with -v. */
  sign: RegExp
  says: (bmc: string, access: IpmiAccess, match: RegExpMatchArray) => string
  retry?: Retry
  /** A BMC that answers too late gives the same sign: the first answer is taken for that to the repeated question. */
  isLateness?: boolean
}

const account = ({ username }: IpmiAccess) =>
  username ? `user '${username}'` : 'the anonymous user (no ipmi_username)'

/** The first that fits is taken. @source lib/ipmi_lanplus strings of ipmitool 1.8.18 and 1.8.19 */
const RULES: readonly Rule[] = [
  {
    sign: /RAKP 2 HMAC is invalid|RAKP 2 message has invalid|RAKP 4 message|invalid integrity check value/,
    says: (bmc, access) =>
      `${bmc} does not accept the password of ${account(access)}. Set ipmi_password (and ipmi_hex_kg_key, if the BMC has a Kg key) in driver_info.`,
    isLateness: true,
  },
  {
    sign: /unauthorized name/,
    says: (bmc, access) =>
      `${bmc} does not know ${account(access)}, or gives it no access over the network. Set ipmi_username in driver_info to an account of the BMC that may use IPMI over LAN.`,
  },
  {
    sign: /insufficient resources for (?:a )?session/i,
    says: (bmc) => `${bmc} has no free session. Close other IPMI sessions, or reset the BMC.`,
    retry: 'patiently',
  },
  {
    sign: /unauthorized role|invalid role|Set Session Privilege Level to (\w+) failed|Insufficient privilege level/i,
    says: (bmc, access) =>
      `${bmc} gives ${account(access)} too few rights. Raise its privilege level on the BMC, or lower ipmi_priv_level in driver_info.`,
  },
  {
    sign: /no matching cipher suite|invalid (?:authentication|integrity|confidentiality) algorithm|Unsupported cipher suite/i,
    says: (bmc) => `${bmc} does not offer the cipher suite. Set ipmi_cipher_suite in driver_info to 3 or 17.`,
    retry: 'otherwise',
  },
  {
    sign: /Authentication type \w+ not supported/,
    says: (bmc) =>
      `${bmc} offers no MD5 for IPMI 1.5, and a password is given to nobody in clear. Set ipmi_protocol_version in driver_info to 2.0, or enable MD5 on the BMC.`,
  },
  {
    sign: /Address lookup for .* failed/,
    says: (bmc) => `${bmc} has no address: the name in driver_info/ipmi_address is not known. Correct it.`,
  },
  {
    sign: /Node busy|BMC initialization in progress|Out of space/,
    says: (bmc, _access, match) => `${bmc} is not ready ("${match[0]}"). Try again in a minute.`,
    retry: 'patiently',
  },
]

/** What ipmitool says at -v of a session that never came to be. */
const NO_ANSWER = /Get Auth Capabilities error|Get Channel Authentication Capabilities|Get Channel Cipher Suites/
const NO_SESSION = /Unable to establish (?:IPMI v2 \/ RMCP\+|LAN) session/
/** Lines that -v adds to every run. */
const CHATTER =
  /^(?:Loading IANA|Running Get|Invalid completion code|Discovered IPMB|IANA PEN|Get HPM\.x|RAW R|(?: ?[0-9a-f]{2})+\s*$|\s*$|Error: Unable to establish)/

const PROBED: Readonly<Record<ProbeResult, (bmc: string, took_ms: number) => string>> = {
  ipmi: (bmc, took_ms) =>
    took_ms < NOTICEABLE_MS
      ? `${bmc} answers, but did not open a session in time. Try again; if it stays so, reset the BMC.`
      : `${bmc} takes ${seconds(took_ms)} s for an answer, and did not finish in time. Try again; if it stays so, reset the BMC, and raise [ipmi] command_retry_timeout.`,
  garbage: (bmc) =>
    `${bmc} answers, but not in IPMI: something else uses that port, or ipmi_address or ipmi_port in driver_info is another machine's. Correct them.`,
  refused: (bmc) =>
    `${bmc} refuses the connection: the machine at that address is up, but no BMC listens there. Check ipmi_address and ipmi_port in driver_info, and that IPMI over LAN is enabled.`,
  silent: (bmc) =>
    `${bmc} does not answer. Check ipmi_address and ipmi_port in driver_info, that the BMC has power and network, and that IPMI over LAN is enabled.`,
  'unknown-host': (bmc) => `${bmc} has no address: the name in driver_info/ipmi_address is not known. Correct it.`,
}

const NOTICEABLE_MS = 500
const seconds = (ms: number) => (ms / 1000).toFixed(1)

export const bmcOf = ({ node, address, port }: IpmiAccess) => `The BMC ${address} port ${port} of node ${node}`

/** What an attempt came to, and how long ipmitool waited for each answer in it. */
type Attempt = { stderr: string; timedOut: boolean; packet_timeout_s: number }

/** @param probe  asked only when ipmitool could not tell why there is no session, or may have mistaken its cause */
export async function explainFailure(
  access: IpmiAccess,
  command: string,
  { stderr, timedOut, packet_timeout_s }: Attempt,
  { probe, retryable = [] }: { probe: () => Promise<Probed>; retryable?: readonly string[] },
): Promise<IpmiFailure> {
  const bmc = bmcOf(access)
  for (const { sign, says, retry = 'no', isLateness } of RULES) {
    const match = stderr.match(sign)
    if (!match) continue
    const { found, took_ms } = isLateness ? await probe() : { found: 'ipmi', took_ms: 0 }
    const isLate = (found === 'ipmi' || found === 'silent') && took_ms > packet_timeout_s * 1000
    return isLate ? { message: PROBED.ipmi(bmc, took_ms), retry: 'once' } : { message: says(bmc, access, match), retry }
  }
  const listed = retryable.some((words) => words !== '' && stderr.includes(words))
  if (!listed && (timedOut || NO_ANSWER.test(stderr) || NO_SESSION.test(stderr))) {
    const { found, took_ms } = await probe()
    const retry = found === 'ipmi' || found === 'silent' ? 'once' : 'no'
    return { message: PROBED[found](bmc, took_ms), retry }
  }
  return {
    message: `${bmc} refused "${command}": ${ownWords(access, stderr)}`,
    retry: listed ? 'patiently' : /\bTimeout\b/i.test(stderr) ? 'once' : 'no',
  }
}

/** ipmitool 1.8.19 exits with 0 after `Set Chassis Boot Parameter 5 failed`, and after `exec` of a line that failed. */
export const tellsFailure = (stderr: string): boolean => /\b(?:failed|unable|error)\b/i.test(wordsOf(stderr))

const wordsOf = (stderr: string) =>
  stderr
    .split('\n')
    .filter((line) => !CHATTER.test(line))
    .map((line) => line.trim())
    .join('; ')

const LONGEST_QUOTE = 300

function ownWords(access: IpmiAccess, stderr: string): string {
  const words = wordsOf(stderr) || 'ipmitool gave no reason.'
  return (access.password ? words.replaceAll(access.password, MASK) : words).slice(0, LONGEST_QUOTE)
}
