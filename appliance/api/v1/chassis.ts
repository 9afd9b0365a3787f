/** The row of /v1/chassis. The nodes below one are listed by the row of nodes. */
import type { Chassis } from '../../records/kinds/chassis.ts'
import { objectField } from '../fields.ts'
import type { ApiParts } from '../parts.ts'
import type { Resource } from '../resource.ts'
import { dict, limitedText, uuid } from '../schema.ts'

export const chassisResource = ({ store }: Pick<ApiParts, 'store'>): Resource<Chassis> => ({
  ...{ name: 'chassis', noun: 'Chassis', records: store.chassis },
  fields: {
    uuid: { write: uuid.nullable(), on: 'create' },
    created_at: {},
    updated_at: {},
    description: { write: limitedText(255).nullable() },
    extra: objectField(dict),
  },
  defaults: ['uuid', 'description'],
  filters: {},
  subresources: { nodes: 0 },
  nestsSubresources: true,
})
