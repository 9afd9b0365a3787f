/** What switches say on the machine's cables: one LLDP frame for each card, by tcpdump. Reads no value of it. */

import type { LogSource } from '../commands/logs.ts'
import { messageOf } from '../errors.ts'

/** As ironic-python-agent has it: type and hexadecimal digits. */
type Tlv = readonly [type: number, digits: string]
type Card = { name: string; has_carrier: boolean }

const FRAME_BYTES = 1600
const HEADER_BYTES = 14
const ONE_FRAME = ['-c', '1', '-n', '-s', String(FRAME_BYTES), '-xx', '-Z', 'root']

/** Cards on which nothing is heard have an empty list. All of them are listened to at one time. */
export async function listen(
  { programs, options, screen }: LogSource,
  cards: readonly Card[],
): Promise<ReadonlyMap<string, readonly Tlv[]>> {
  const heard = await Promise.all(
    cards.map(async ({ name, has_carrier }): Promise<[string, readonly Tlv[]]> => {
      if (!has_carrier) return [name, []]
      // Where nothing is heard the program is ended, and that is no failure of the inspection.
      const frame = programs
        .run('tcpdump', ['-i', name, ...ONE_FRAME, 'ether proto 0x88cc'], { timeout_s: options.lldp_timeout_s })
        .then(frameIn)
      return [name, await frame.then(tlvsIn).catch((error: unknown) => nothing(screen, name, error))]
    }),
  )
  return new Map(heard)
}

function nothing(screen: LogSource['screen'], name: string, error: unknown): readonly Tlv[] {
  screen.note(`No LLDP on ${name}: ${messageOf(error)}`)
  return []
}

/** Of tcpdump's -xx: lines of offset and groups of four digits. */
export const frameIn = (text: string): Buffer =>
  Buffer.from(
    [...text.matchAll(/^\s+0x[0-9a-f]+:\s+((?:[0-9a-f]{2,4} ?)+)/gm)]
      .map(([, groups = '']) => groups)
      .join('')
      .replaceAll(' ', ''),
    'hex',
  )

/** Up to the end of the LLDPDU: what pads the frame is nothing. @source IEEE 802.1AB section 8.4 */
export function tlvsIn(frame: Buffer): readonly Tlv[] {
  const tlvs: Tlv[] = []
  for (let at = HEADER_BYTES; at + 2 <= frame.length; ) {
    const head = frame.readUInt16BE(at)
    const [type, length] = [head >> 9, head & 0x1ff]
    tlvs.push([type, frame.toString('hex', at + 2, at + 2 + length)])
    if (type === 0) break
    at += 2 + length
  }
  return tlvs
}
