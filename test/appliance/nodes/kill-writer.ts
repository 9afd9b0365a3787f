/**
 * The program that kill.test.ts kills: opens a store for each folder named, tells what it found, then changes records without
 * an end and tells each change before it is asked for and once it is acknowledged. A line each: store, word, uuid, version.
 */
import { randomInt, randomUUID } from 'node:crypto'
import { writeSync } from 'node:fs'
import type { Node } from '../../../appliance/nodes/node.ts'
import { openStore } from '../../../appliance/nodes/open-store.ts'
import type { Store } from '../../../appliance/nodes/store.ts'
import { quiet, someNode } from './state-folder.ts'

const WRITERS = 4
const NODES_AT_MOST = 24
/** Now and then large, so that a write takes its time. */
const fillerOf = (version: number) => `${version} `.repeat(version % 7 === 0 ? 9000 : 40)
const contentOf = (version: number): Partial<Node> => ({
  extra: { version, filler: fillerOf(version) },
  driver_info: { ipmi_password: `password ${version}` },
})

/** -1: some of it is of another generation. */
function versionOf({ extra, driver_info }: Node): number {
  const version = Number(extra.version)
  const isWhole = extra.filler === fillerOf(version) && driver_info.ipmi_password === `password ${version}`
  return isWhole ? version : -1
}

async function write(index: number, { nodes }: Store, writer: number): Promise<void> {
  const tell = (word: string, uuid: string, version: number | null) =>
    writeSync(1, `${index} ${word} ${uuid} ${version}\n`)
  const own = [...nodes.all()].filter(({ uuid }) => Number.parseInt(uuid[0] ?? '', 16) % WRITERS === writer)
  const versions = new Map(own.map((node) => [node.uuid, versionOf(node)]))
  const change = async (uuid: string, version: number | null, work: () => Promise<unknown>) => {
    tell('asks', uuid, version)
    await work()
    tell('done', uuid, version)
    if (version === null) versions.delete(uuid)
    else versions.set(uuid, version)
  }
  const create = () => {
    const uuid = (writer + 4 * randomInt(4)).toString(16) + randomUUID().slice(1)
    return change(uuid, 1, () => nodes.create(someNode({ uuid, name: `node-${uuid}`, ...contentOf(1) })))
  }
  const refused = (name: string | null) => {
    const uuid = randomUUID()
    return nodes.create(someNode({ uuid, name })).catch(() => tell('refused', uuid, null))
  }
  for (;;) {
    const uuid = [...versions.keys()][randomInt(versions.size + 1)]
    const isCrowded = versions.size > NODES_AT_MOST / WRITERS
    if (uuid === undefined) await create()
    else if (isCrowded || randomInt(6) === 0) await change(uuid, null, () => nodes.delete(uuid))
    else {
      const version = (versions.get(uuid) ?? 0) + 1
      await Promise.all([
        change(uuid, version, () => nodes.update(uuid, contentOf(version))),
        refused(nodes.get(uuid)?.name ?? null),
      ])
    }
  }
}

await Promise.all(
  process.argv.slice(2).map(async (state_path, index) => {
    writeSync(1, `${index} opens - -\n`)
    const store = await openStore({ state_path, log: quiet, checkpoint_delay_ms: randomInt(1, 30) })
    const found = [...store.nodes.all()].map((node) => `${index} found ${node.uuid} ${versionOf(node)}\n`)
    writeSync(1, `${found.join('')}${index} ready - -\n`)
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(index, store, writer)))
  }),
)
