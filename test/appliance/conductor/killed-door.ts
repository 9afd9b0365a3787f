/**
 * The door of a program that killed-process.ts starts and kills: POST / with [call, ...arguments]. What it tells goes
 * to standard output.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { startConductor } from '../../../appliance/conductor/start.ts'
import type { Store } from '../../../appliance/records/store.ts'
import { writeAll } from '../write-all.ts'

type Calls = Readonly<Record<string, (...args: never[]) => Promise<unknown>>>
type Behind = { conductor: ReturnType<typeof startConductor>; store: Store; calls: Calls }

export const tell = (word: string, fields: object) => writeAll(`${JSON.stringify({ message: word, ...fields })}\n`)

/** @param behind.calls  the program's own, beside those of every conductor */
export function openDoor({ conductor, store, calls: own }: Behind): void {
  const calls: Calls = {
    provision: (uuid: string, target: string, more: object = {}) => conductor.provision(uuid, { ...more, target }),
    lookup: (query: Parameters<typeof conductor.lookup>[0]) => conductor.lookup(query),
    continueInspection: (report: Parameters<typeof conductor.continueInspection>[0]) =>
      conductor.continueInspection(report),
    heartbeat: (...args: Parameters<typeof conductor.heartbeat>) => conductor.heartbeat(...args),
    node: async (uuid: string) => store.nodes.find(uuid),
    ...own,
  }
  const door = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const [call, ...args] = JSON.parse(Buffer.concat(chunks).toString()) as [string, ...never[]]
    const answer = await calls[call]?.(...args).then(
      (value) => ({ value }),
      (error: Error) => ({ error: error.message }),
    )
    response.end(JSON.stringify(answer ?? { error: `no call ${call}` }))
  })
  door.listen(0, '127.0.0.1', async () => {
    await conductor.recover()
    tell('ready', { port: (door.address() as AddressInfo).port })
  })
}
