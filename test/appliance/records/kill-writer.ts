/**
 * The program that kill.e2e.test.ts kills: opens a store for each folder named, tells what it found, then changes
 * records without an end and tells each change before it is asked for and once it is acknowledged. A line each:
 * store, word, uuid, version.
 */
import { randomInt, randomUUID } from 'node:crypto'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { openStore } from '../../../appliance/records/open-store.ts'
import type { Store } from '../../../appliance/records/store.ts'
import { writeAll } from '../write-all.ts'
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

/** Tells of each change before and after it. */
function changesOf(index: number, { nodes }: Store) {
  const tell = (word: string, uuid: string, version: number | null) => writeAll(`${index} ${word} ${uuid} ${version}\n`)
  const told = async (uuid: string, version: number | null, work: Promise<unknown>) => {
    await work
    tell('done', uuid, version)
  }
  return {
    create(uuid: string) {
      tell('asks', uuid, 1)
      return told(uuid, 1, nodes.create(someNode({ uuid, name: `node-${uuid}`, ...contentOf(1) })))
    },
    update(uuid: string, version: number) {
      tell('asks', uuid, version)
      return told(uuid, version, nodes.update(uuid, contentOf(version)))
    },
    remove(uuid: string) {
      tell('asks', uuid, null)
      return told(uuid, null, nodes.delete(uuid))
    },
    async createRefused(name: string) {
      const uuid = randomUUID()
      await nodes.create(someNode({ uuid, name })).catch(() => tell('refused', uuid, null))
    },
  }
}

/** Changes a quarter of the nodes, so that the version of each is known. */
async function write(index: number, store: Store, writer: number): Promise<never> {
  const { create, update, remove, createRefused } = changesOf(index, store)
  const isOwn = ({ uuid }: Node) => Number.parseInt(uuid[0] ?? '', 16) % WRITERS === writer
  for (;;) {
    const own = [...store.nodes.all()].filter(isOwn)
    const node = own[randomInt(own.length + 1)]
    if (!node) await create((writer + WRITERS * randomInt(4)).toString(16) + randomUUID().slice(1))
    else if (own.length > NODES_AT_MOST / WRITERS || randomInt(6) === 0) await remove(node.uuid)
    else await Promise.all([update(node.uuid, versionOf(node) + 1), createRefused(node.name ?? '')])
  }
}

await Promise.all(
  process.argv.slice(2).map(async (state_path, index) => {
    writeAll(`${index} opens - -\n`)
    const store = await openStore({ state_path, log: quiet, checkpoint_delay_ms: randomInt(1, 30) })
    const found = [...store.nodes.all()].map((node) => `${index} found ${node.uuid} ${versionOf(node)}\n`)
    writeAll(`${found.join('')}${index} ready - -\n`)
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(index, store, writer)))
  }),
)
