/** The chassis record: what several machines are built into. A name for nodes to be listed by, and nothing else. */
import type { Json } from '../../plugin-api/index.ts'
import type { Base, Kind } from '../kind.ts'

export type Chassis = Base & { description: string | null; extra: Json }

/** The row of chassis. */
export const CHASSIS: Kind<Chassis, never, never> = {
  noun: 'Chassis',
  defaults: { description: null, extra: {} },
  unique: {},
}
