/**
 * Asks an address, without credentials, whether a BMC is there at all. For diagnosis: ipmitool has one text for every
 * kind of silence.
 */
import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'

export type Probed = {
  found: ProbeResult
  /** From the first question to the first answer: longer than the truth when that question was lost. */
  took_ms: number
}
export type ProbeResult =
  /** A BMC that speaks IPMI answered. */
  | 'ipmi'
  /** Something answered that is no IPMI. */
  | 'garbage'
  /** The machine at that address says that nobody listens on the port. */
  | 'refused'
  | 'silent'
  /** The name has no address. */
  | 'unknown-host'

/**
 * RMCP header, IPMI 1.5 session header without authentication, Get Channel Authentication Capabilities. IPMI 2.0
 * sections 13.1.3, 22.13.
 */
const QUESTION = Buffer.from('0600ff07000000000000000000092018c88100388e04b5', 'hex')
const RMCP_VERSION = 0x06
const CLASS_IPMI = 0x07
/** Of a whole answer: RMCP 4, session 10, message at least 7. */
const SHORTEST_ANSWER = 21

/** @param timeout_ms  the question is asked twice within it, for a lost packet */
export async function probeBmc(
  address: string,
  port: number,
  { timeout_ms, signal }: { timeout_ms: number; signal: AbortSignal },
): Promise<Probed> {
  const host = await lookup(address).catch(() => undefined)
  if (!host) return { found: 'unknown-host', took_ms: 0 }
  const socket = createSocket(host.family === 6 ? 'udp6' : 'udp4')
  const { promise, resolve } = Promise.withResolvers<ProbeResult>()
  const asked_ms = performance.now()
  const ask = () => socket.send(QUESTION)
  const timers = [setTimeout(ask, timeout_ms / 2), setTimeout(() => resolve('silent'), timeout_ms)]
  const abort = () => resolve('silent')
  signal.addEventListener('abort', abort)
  socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED' ? 'refused' : 'silent'))
  socket.on('message', (message) => resolve(isIpmi(message) ? 'ipmi' : 'garbage'))
  socket.connect(port, host.address, (error?: Error) => (error ? resolve('silent') : ask()))
  try {
    const found = await promise
    return { found, took_ms: performance.now() - asked_ms }
  } finally {
    for (const timer of timers) clearTimeout(timer)
    signal.removeEventListener('abort', abort)
    socket.close()
  }
}

function isIpmi(message: Buffer): boolean {
  return message.length >= SHORTEST_ANSWER && message[0] === RMCP_VERSION && (message[3] ?? 0) === CLASS_IPMI
}
