/** A state_path of a test's own, a log that can be read back, and records with something in them. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createLog, type Log } from '../../../appliance/log.ts'
import { INTERFACE_TYPES, type Node, newNode } from '../../../appliance/records/kinds/node.ts'
import { newPort, type Port } from '../../../appliance/records/kinds/port.ts'
import { type OpenStoreOptions, openStore } from '../../../appliance/records/open-store.ts'
import type { Store } from '../../../appliance/records/store.ts'

export const quiet: Log = createLog('error', () => {})

/** Gone with the test. */
export function stateFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'rackstrap-state-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Closed with the test, when the test has not done so. */
export async function openAt(
  t: TestContext,
  state_path: string,
  options: Partial<OpenStoreOptions> = {},
): Promise<Store> {
  const store = await openStore({ state_path, log: quiet, ...options })
  t.after(() => store.close().catch(() => {}))
  return store
}

export type LogLine = { level: string; message: string } & Record<string, unknown>

/** A log, and what was written to it. */
export function keptLog(): { log: Log; lines: LogLine[] } {
  const lines: LogLine[] = []
  return { log: createLog('debug', (line) => lines.push(JSON.parse(line) as LogLine)), lines }
}

export function someNode(fields: Partial<Node> = {}): Node {
  const interfaces = Object.fromEntries(INTERFACE_TYPES.map((type) => [type, 'noop'])) as Node['interfaces']
  return newNode({ driver: 'ipmi', interfaces, ...fields })
}

export const somePort = (node_uuid: string, address: string): Port => newPort({ address, node_uuid })

/** Every file below a folder, by its path relative to it. */
export function filesIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => statSync(join(folder, name)).isFile()).sort()
}
