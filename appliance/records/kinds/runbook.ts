/** Runbooks: steps in an order, for a cleaning or a service of nodes that are approved for them by a trait. */
import type { Json } from '../../plugin-api/index.ts'
import type { Base, Kind } from '../kind.ts'

type RunbookStep = { interface: string; step: string; args: Json; order: number }

export type Runbook = Base & {
  name: string
  description: string | null
  steps: readonly RunbookStep[]
  /** Its steps need no agent. */
  disable_ramdisk: boolean
  extra: Json
  public: boolean
  owner: string | null
  /** A node has to have one of them. Before 1.112, it has to have a trait of the runbook's name. */
  traits: readonly string[]
}

/** The row of runbooks. Sentences are Ironic's. */
export const RUNBOOKS: Kind<Runbook, 'name', never> = {
  noun: 'Runbook',
  defaults: {
    ...{ description: null, steps: [], disable_ramdisk: false, extra: {}, public: false, owner: null, traits: [] },
  },
  unique: { name: { conflict: ({ name }) => `A runbook with name ${name} already exists.` } },
}
