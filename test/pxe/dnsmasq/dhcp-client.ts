/**
 * A machine that asks for an address (RFC 2131, DHCPDISCOVER), in a network namespace of its own: started by
 * in-namespace.ts. It begins when it is told so on stdin, and tells on stdout which options it was offered: their
 * numbers with their bytes in hexadecimal.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

const COOKIE = Buffer.from('63825363', 'hex')
const HEADER_BYTES = 236
const MESSAGE_TYPE = 53
const PARAMETER_REQUEST = 55
/** Subnet mask, router, name server, domain, NTP server: what an operating system asks for. */
const WANTED = [1, 3, 6, 15, 42]
const PAD = 0
const END = 255

function discover(): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  // op, htype, hlen; then xid, and the flag that asks for a broadcast answer.
  header.set([1, 1, 6], 0)
  header.writeUInt32BE(0x5eed, 4)
  header.writeUInt16BE(0x8000, 10)
  header.set(Buffer.from('525400123456', 'hex'), 28)
  const options = [MESSAGE_TYPE, 1, 1, PARAMETER_REQUEST, WANTED.length, ...WANTED, END]
  return Buffer.concat([header, COOKIE, Buffer.from(options)])
}

function optionsIn(packet: Buffer): Record<string, string> {
  const found: Record<string, string> = {}
  for (let at = HEADER_BYTES + COOKIE.length; at < packet.length && packet[at] !== END; ) {
    if (packet[at] === PAD) {
      at += 1
      continue
    }
    const length = packet[at + 1] ?? 0
    found[String(packet[at])] = packet.toString('hex', at + 2, at + 2 + length)
    at += 2 + length
  }
  return found
}

await once(process.stdin, 'data')
const socket = createSocket('udp4')
await new Promise<void>((resolve) => socket.bind(68, '0.0.0.0', resolve))
socket.setBroadcast(true)
const answered = once(socket, 'message', { signal: AbortSignal.timeout(20_000) })
socket.send(discover(), 67, '255.255.255.255')
const [packet] = await answered
process.stdout.write(`${JSON.stringify(optionsIn(packet))}\n`)
process.exit()
