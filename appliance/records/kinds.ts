/**
 * The kinds of records: each has a folder of its own in state_path, by this name. A row here is all that the store
 * needs to keep another.
 */
import type { Kinds } from './kind.ts'
import { ALLOCATIONS } from './kinds/allocation.ts'
import { BOOTS } from './kinds/boot.ts'
import { CHASSIS } from './kinds/chassis.ts'
import { DEPLOY_TEMPLATES } from './kinds/deploy-template.ts'
import { INSPECTION_RULES } from './kinds/inspection-rule.ts'
import { NODES } from './kinds/node.ts'
import { PORTS } from './kinds/port.ts'
import { PORTGROUPS } from './kinds/portgroup.ts'
import { READINGS } from './kinds/reading.ts'
import { RUNBOOKS } from './kinds/runbook.ts'
import { VOLUME_CONNECTORS, VOLUME_TARGETS } from './kinds/volume.ts'

export const KINDS = {
  chassis: CHASSIS,
  nodes: NODES,
  ports: PORTS,
  portgroups: PORTGROUPS,
  volume_connectors: VOLUME_CONNECTORS,
  volume_targets: VOLUME_TARGETS,
  allocations: ALLOCATIONS,
  boots: BOOTS,
  readings: READINGS,
  deploy_templates: DEPLOY_TEMPLATES,
  inspection_rules: INSPECTION_RULES,
  runbooks: RUNBOOKS,
} as const satisfies Kinds
