/**
 * Which implementations nodes of each hardware type may have, and which is the default: what [DEFAULT] settles.
 * Builds none of them.
 */
import type { Config } from '../config/options.ts'
import { IMPLEMENTATIONS } from './implementations.ts'
import { isIronics } from './ironic-names.ts'
import { type Allowed, HARDWARE_TYPES } from './types.ts'

export type Type = keyof typeof IMPLEMENTATIONS
export const TYPES = Object.keys(IMPLEMENTATIONS) as readonly Type[]
export type Names = Readonly<Record<Type, readonly string[]>>

/** Whether the appliance itself has an implementation of this name. */
export const isBuiltIn = (type: Type, name: string): boolean => Object.hasOwn(IMPLEMENTATIONS[type], name)

/** An implementation that a plugin brings. */
export type Offer = {
  type: string
  name: string
  /** Left out: any. */
  hardware_types?: readonly string[]
}
export type Enabled = {
  enabled: Names
  /** By enabled hardware type: what `baremetal driver show` tells, the default first. */
  allowed: ReadonlyMap<string, Names>
  /** One sentence each. */
  problems: readonly string[]
  /** One sentence for each name that Ironic has and this appliance does not: it is left out. */
  warnings: readonly string[]
}

/** @param offers  the plugins that were found */
export function settle({ DEFAULT }: Pick<Config, 'DEFAULT'>, offers: readonly Offer[]): Enabled {
  const problems: string[] = []
  const warnings: string[] = []
  const unknown = (of: Type | 'hardware_types', option: string, name: string, known: readonly string[]) => {
    if (isIronics(of, name)) {
      warnings.push(
        `[DEFAULT] ${option} names "${name}", which Ironic has and this appliance does not: it is left out.`,
      )
    } else problems.push(`[DEFAULT] ${option} names "${name}": expected some of ${known.join(', ')}.`)
  }
  const rows = hardwareTypes(DEFAULT.enabled_hardware_types, unknown)
  if (rows.size === 0 && problems.length === 0) {
    problems.push(
      `[DEFAULT] enabled_hardware_types is ${DEFAULT.enabled_hardware_types.join(', ') || 'empty'}: expected at least one of ${Object.keys(HARDWARE_TYPES).join(', ')}.`,
    )
  }
  const enabled = byType((type) => {
    const named = [...new Set(DEFAULT[`enabled_${type}_interfaces`])]
    if (named.length === 0) return [...new Set([...rows.values()].map((row) => row[type][0] ?? ''))]
    const known = [...Object.keys(IMPLEMENTATIONS[type]), ...namesIn(offers, type)]
    for (const name of named.filter((each) => !known.includes(each))) {
      unknown(type, `enabled_${type}_interfaces`, name, known)
    }
    return named.filter((name) => known.includes(name))
  })
  const allowed = new Map(
    [...rows].map(([driver, row]) => [
      driver,
      byType((type) => {
        const names = allowedOf({ driver, row, type }, enabled[type], offers)
        const wanted = DEFAULT[`default_${type}_interface`]
        const problem = problemOf({ driver, row, type }, { names, wanted, said: DEFAULT[`enabled_${type}_interfaces`] })
        if (problem !== undefined) problems.push(problem)
        return wanted === undefined || problem !== undefined
          ? names
          : [wanted, ...names.filter((name) => name !== wanted)]
      }),
    ]),
  )
  return { enabled, allowed, problems: [...new Set(problems)], warnings }
}

/** Whether a node of this hardware type may name it, when it is enabled. */
export function allows(driver: string, type: string, name: string, offers: readonly Offer[]): boolean {
  const row = Object.hasOwn(HARDWARE_TYPES, driver) ? HARDWARE_TYPES[driver] : undefined
  if (!row) return false
  if ((row[type as Type] as readonly string[] | undefined)?.includes(name)) return true
  const offer = offers.find((each) => each.type === type && each.name === name)
  if (!offer) return !Object.hasOwn(row, type)
  return offer.hardware_types?.includes(driver) ?? true
}

const byType = (of: (type: Type) => readonly string[]): Names =>
  Object.fromEntries(TYPES.map((type) => [type, of(type)])) as Record<Type, readonly string[]>
const namesIn = (offers: readonly Offer[], type: Type) =>
  offers.filter((offer) => offer.type === type).map(({ name }) => name)

type Unknown = (of: 'hardware_types', option: string, name: string, known: readonly string[]) => void

function hardwareTypes(names: readonly string[], unknown: Unknown): Map<string, Allowed> {
  return new Map(
    names.flatMap((name) => {
      const row = Object.hasOwn(HARDWARE_TYPES, name) ? HARDWARE_TYPES[name] : undefined
      if (row) return [[name, row] as const]
      unknown('hardware_types', 'enabled_hardware_types', name, Object.keys(HARDWARE_TYPES))
      return []
    }),
  )
}

type Place = { driver: string; row: Allowed; type: Type }

/** By the hardware type's preference, then what plugins bring. */
function allowedOf({ driver, row, type }: Place, enabled: readonly string[], offers: readonly Offer[]): string[] {
  const own: readonly string[] = row[type]
  const brought = namesIn(offers, type).filter((name) => allows(driver, type, name, offers))
  return [...own, ...brought].filter((name) => enabled.includes(name))
}

type Found = { names: readonly string[]; said: readonly string[]; wanted: string | undefined }

/** @source Ironic common/driver_factory.py default_interface: a node that names none must get one */
function problemOf({ driver, row, type }: Place, { names, said, wanted }: Found): string | undefined {
  if (wanted !== undefined) {
    if (names.includes(wanted)) return undefined
    return `[DEFAULT] default_${type}_interface is "${wanted}": expected one that is enabled and that hardware type ${driver} allows (${names.join(', ') || 'none'}).`
  }
  if (names.length > 0) return undefined
  return `[DEFAULT] enabled_${type}_interfaces is ${said.join(', ') || 'empty'}: expected at least one that hardware type ${driver} allows (${row[type].join(', ')}).`
}
