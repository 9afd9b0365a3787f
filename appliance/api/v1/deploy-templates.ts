/** The row of /v1/deploy_templates. What a template does at a deploy is the conductor's. */
import { z } from 'zod'
import { MethodNotAllowed } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { DeployTemplate } from '../../records/kinds/deploy-template.ts'
import type { Fields } from '../fields.ts'
import type { ApiParts } from '../parts.ts'
import type { Resource } from '../resource.ts'
import { limitedText, uuid } from '../schema.ts'
import { secretTable } from './node/kept-secrets.ts'
import { trait } from './node/traits.ts'
import { checkOnce, masked, place, STEP, stepArgs, stepList, stepsKept } from './step-fields.ts'

/** @source Ironic api/controllers/v1/deploy_template.py TEMPLATE_SCHEMA */
const FIELDS: Fields<DeployTemplate> = {
  uuid: { write: uuid.nullable(), on: 'create' },
  created_at: {},
  updated_at: {},
  name: { write: trait },
  description: { write: limitedText(255).nullable() },
  extra: secretTable,
  steps: {
    write: stepList(z.strictObject({ ...STEP, args: stepArgs, priority: place }, 'expected an object')),
    show: masked,
    keep: stepsKept,
    sortable: false,
  },
}

export const deployTemplateResource = ({ store }: ApiParts): Resource<DeployTemplate> => ({
  refuseBefore: () => new MethodNotAllowed('The API version does not allow deploy templates', ['GET']),
  ...{ name: 'deploy_templates', noun: 'Deploy template', since: 55, named: 0, records: store.deploy_templates },
  ...{ fields: FIELDS, defaults: ['uuid', 'name'], filters: {} },
  create: { required: ['name', 'steps'], draft: checked },
  patch: { change: (_template, fields) => checked(fields) },
})

function checked(fields: Json): Partial<DeployTemplate> {
  if (fields.steps) checkOnce(fields.steps)
  return fields
}
