/** The table of resources. A row here, and one in records/kinds.ts, are all that another one needs. */
import type { Base } from '../../records/kind.ts'
import type { ApiParts } from '../parts.ts'
import type { Resource } from '../resource.ts'
import { allocationResource } from './allocations.ts'
import { chassisResource } from './chassis.ts'
import { deployTemplateResource } from './deploy-templates.ts'
import { inspectionRuleResource } from './inspection-rules.ts'
import { nodeResource } from './node/resource.ts'
import { portResource } from './port/resource.ts'
import { portgroupResource } from './portgroups.ts'
import { runbookResource } from './runbooks.ts'
import { connectorResource, targetResource } from './volume.ts'

export const resourcesOf = (parts: ApiParts): readonly Resource<Base>[] => [
  chassisResource(parts),
  nodeResource(parts),
  portResource(parts),
  portgroupResource(parts),
  connectorResource(parts),
  targetResource(parts),
  allocationResource(parts),
  deployTemplateResource(parts),
  runbookResource(parts),
  inspectionRuleResource(parts),
]
