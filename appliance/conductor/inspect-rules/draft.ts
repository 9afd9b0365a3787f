/** The records of one node as its rules change them, one effect after the other. Writes none of them. */
import type { Json } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import type { Port } from '../../records/kinds/port.ts'
import type { Parts } from '../parts/parts.ts'
import { type Edit, type Effect, edited } from './effects.ts'
import { attributesOf, NODE_ATTRIBUTES, PORT_ATTRIBUTES } from './settable.ts'

export class Draft {
  attributes: Json
  plugin_data: Json
  /** Of the node. */
  readonly edits: Edit[] = []
  readonly portChanges = new Map<string, Partial<Port>>()
  readonly #uuid: string
  readonly #ports: ReadonlyMap<string, Port>

  constructor(node: Node, ports: readonly Port[], plugin_data: Json) {
    this.#uuid = node.uuid
    this.attributes = attributesOf(node)
    this.plugin_data = plugin_data
    this.#ports = new Map(ports.map((port) => [port.uuid, port]))
  }

  /** @throws Error  it is not to be set, or not to this */
  take(effect: Effect, { log }: Pick<Parts, 'log'>): void {
    if (effect.on === 'log') log[effect.level]('inspection rule says', { node: this.#uuid, said: effect.message })
    else if (effect.on === 'plugin_data') this.plugin_data = edited(this.plugin_data, effect.edit)
    else if (effect.on === 'node') this.#editNode(effect.edit)
    else if (effect.on === 'port') this.#editPort(effect.port, effect.edit)
  }

  #editNode(edit: Edit): void {
    const [root = ''] = edit.path
    const value = checked(NODE_ATTRIBUTES, root, edited(this.attributes, edit))
    this.attributes = { ...this.attributes, [root]: value }
    this.edits.push(edit)
  }

  #editPort(uuid: string, edit: Edit): void {
    const port = this.#ports.get(uuid)
    if (!port) throw new Error(`Port ${uuid} could not be found.`)
    const [root = ''] = edit.path
    const before = this.portChanges.get(uuid) ?? {}
    const value = checked(PORT_ATTRIBUTES, root, edited({ ...port, ...before }, edit))
    this.portChanges.set(uuid, { ...before, [root]: value })
  }
}

function checked(known: typeof NODE_ATTRIBUTES, name: string, after: Json): unknown {
  const check = Object.hasOwn(known, name) ? known[name] : undefined
  if (!check) throw new Error(`a rule does not set ${name.slice(0, 80)}: it sets ${Object.keys(known).join(', ')}`)
  try {
    return check(after[name])
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`, { cause: error })
  }
}
