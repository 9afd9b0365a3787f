/** The agent_burnin_* keys of driver_info, each checked: they become arguments of programs. */
import { isIP } from 'node:net'
import { AgentError } from '../errors.ts'

export type BurnInInfo = {
  /** The longest that anything may take. */
  readonly limit_s: number
  seconds(key: string, standard: number): number
  count(key: string, standard: number): number
  flag(key: string): boolean
  /** As stress-ng takes it: a part of what is free, or bytes. */
  memory(key: string, standard: string): string
  /** undefined: none is wished for. */
  file(key: string): string | undefined
  pair(): { role: 'writer' | 'reader'; partner: string }
}

const DAY_S = 24 * 3600
const LIMIT_S = 14 * DAY_S
const COUNT_LIMIT = 65_536
const HOST = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i
const FILE = /^\/(var\/log|tmp|run)\/[\w][\w.-]{0,99}$/
const PAIR = 'agent_burnin_fio_network_config'

/** Its functions @throws AgentError  the key, what was found and what was wanted */
export function burnInInfo(node: { driver_info?: unknown }): BurnInInfo {
  const found = node.driver_info
  const info = found !== null && typeof found === 'object' ? (found as Readonly<Record<string, unknown>>) : {}
  const whole = (key: string, standard: number, most: number, what: string) => {
    const value = info[key] ?? standard
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
    if (Number.isInteger(number) && Number(number) >= 0 && Number(number) <= most) return Number(number)
    throw wrong(key, value, `expected ${what} from 0 to ${most}`)
  }
  return {
    limit_s: LIMIT_S,
    seconds: (key, standard) => whole(key, standard, LIMIT_S, 'seconds'),
    count: (key, standard) => whole(key, standard, COUNT_LIMIT, 'a number'),
    flag: (key) => info[key] === true || /^(1|true|yes|on)$/i.test(String(info[key])),
    memory(key, standard) {
      const value = String(info[key] ?? standard)
      if (/^(100|\d{1,2})%$/.test(value) || /^\d{1,15}[bkmg]?$/i.test(value)) return value
      throw wrong(key, value, 'expected a part such as 98%, or bytes such as 512m')
    },
    file(key) {
      const value = info[key]
      if (value === undefined || value === null) return undefined
      if (typeof value === 'string' && FILE.test(value)) return value
      throw wrong(key, value, 'expected a file in /var/log, /tmp or /run of the ramdisk')
    },
    pair() {
      const value = info[PAIR]
      if (value === undefined || value === null) {
        throw new AgentError(
          'InvalidCommandParamsError',
          `driver_info/${PAIR} is not set: expected {"role": "writer", "partner": ADDRESS}, and the other role on the partner's node. Pairing by a backend of tooz is not there.`,
        )
      }
      const { role, partner } = value as { role?: unknown; partner?: unknown }
      const isHost = typeof partner === 'string' && (isIP(partner) !== 0 || HOST.test(partner))
      if ((role === 'writer' || role === 'reader') && isHost) return { role, partner }
      throw wrong(PAIR, value, 'expected the role "writer" or "reader", and an address or a host name as partner')
    },
  }
}

const wrong = (key: string, found: unknown, wanted: string) =>
  new AgentError('InvalidCommandParamsError', `driver_info/${key} is ${shown(found)}: ${wanted}.`)

const shown = (found: unknown) => (JSON.stringify(found) ?? 'nothing').slice(0, 200)
