/**
 * What a store may hold after it was cut off: for each record, the last acknowledged change or the one then under
 * way.
 */

/** Number of a record's generation; null when there is no such record. */
export type Version = number | null

export class PossibleStates {
  readonly #possible = new Map<string, Set<Version>>()

  /** A change is asked for: from now on it may be there. */
  ask(uuid: string, version: Version): void {
    const possible = this.#possible.get(uuid) ?? new Set<Version>([null])
    this.#possible.set(uuid, possible.add(version))
  }

  /** It was acknowledged: nothing older may be there. */
  acknowledge(uuid: string, version: Version): void {
    this.#possible.set(uuid, new Set([version]))
  }

  /** It was refused, and what was before must be there. */
  refuse(uuid: string, version: Version): void {
    this.#possible.get(uuid)?.delete(version)
  }

  /** @returns what is wrong with the records found, in sentences; what was found is what must be there from now on */
  settle(found: ReadonlyMap<string, Version>): string[] {
    const wrong: string[] = []
    for (const [uuid, possible] of this.#possible) {
      const version = found.get(uuid) ?? null
      if (!possible.has(version))
        wrong.push(`${uuid} is ${version}, and is to be ${[...possible].map(String).join(' or ')}`)
      this.#possible.set(uuid, new Set([version]))
    }
    for (const [uuid, version] of found) {
      if (!this.#possible.has(uuid)) wrong.push(`${uuid} is ${version}, and nobody asked for it`)
    }
    return wrong
  }
}
