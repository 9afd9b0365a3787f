/** What an implementation of an interface is handed, without a conductor. */

import { exec } from '../conductor/plugin/exec.ts'
import type { Json } from '../plugin-api/index.ts'
import type { InterfaceTask } from '../plugin-api/interfaces.ts'
import type { Node } from '../records/kinds/node.ts'

const DEADLINE_MS = 10_000

/** `remembered` is what it asked to be kept. */
export function interfaceTask(
  node: Node,
  change: Partial<InterfaceTask> = {},
): InterfaceTask & { remembered: Json; lines: string[] } {
  const remembered: Json = {}
  const lines: string[] = []
  const write = (message: string) => void lines.push(message)
  const { signal = AbortSignal.timeout(DEADLINE_MS) } = change
  return {
    node,
    options: {},
    log: { debug: write, info: write, warn: write, error: write },
    signal,
    agent: { isAlive: false, run: () => Promise.reject(new Error('there is no agent')) },
    exec: (file, args, o = {}) => exec(file, args, o, { signal, node_uuid: node.uuid }),
    remember: async (values) => void Object.assign(remembered, values),
    failure: (message, cause) => new Error(message, { cause }),
    remembered,
    lines,
    ...change,
  }
}
