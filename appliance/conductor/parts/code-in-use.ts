/**
 * The code of plugins that is in use: what was loaded last, and for a node in a procedure what that began with. Loads
 * nothing.
 */
import type { Hardware } from '../../hardware/hardware.ts'
import type { DeployPlugin, Json } from '../../plugin-api/index.ts'

/** All that is loaded together. */
export type PluginCode = {
  /** By name; the first is the default unless [DEFAULT] default_deploy_interface says otherwise. */
  plugins: ReadonlyMap<string, DeployPlugin>
  hardware: Hardware
  /** The values of a plugin's own options, before a node's overrides. */
  option_values(plugin: string): Json
}

export class CodeInUse {
  #last: PluginCode
  /** By node: what its procedure began with, where that is not the last. */
  readonly #earlier = new Map<string, PluginCode>()

  constructor(first: PluginCode) {
    this.#last = first
  }

  get last(): PluginCode {
    return this.#last
  }

  of(node: string): PluginCode {
    return this.#earlier.get(node) ?? this.#last
  }

  /** @param underWay  nodes in a procedure, which goes on with the code that it has */
  replace(next: PluginCode, underWay: readonly string[]): void {
    for (const node of [...this.#earlier.keys()]) if (!underWay.includes(node)) this.#earlier.delete(node)
    for (const node of underWay) if (!this.#earlier.has(node)) this.#earlier.set(node, this.#last)
    this.#last = next
  }

  /** A procedure of the node begins, or has ended. */
  forget(node: string): void {
    this.#earlier.delete(node)
  }
}
