/** The row of /v1/chassis. The nodes below one are listed by the row of nodes. */
import type { Chassis } from '../../records/kinds/chassis.ts'
import { objectField, RECORD_FIELDS } from '../fields.ts'
import type { ApiParts } from '../parts.ts'
import type { Resource } from '../resource.ts'
import { dict, limitedText } from '../schema.ts'

export const chassisResource = ({ store }: Pick<ApiParts, 'store'>): Resource<Chassis> => ({
  ...{ name: 'chassis', noun: 'Chassis', records: store.chassis },
  fields: {
    ...RECORD_FIELDS,
    description: { write: limitedText(255).nullable() },
    extra: objectField(dict),
  },
  defaults: ['uuid', 'description'],
  filters: {},
  subresources: { nodes: 0 },
  nestsSubresources: true,
})
