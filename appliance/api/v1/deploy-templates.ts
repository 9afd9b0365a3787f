/** The row of /v1/deploy_templates. What a template does at a deploy is the conductor's. */
import { z } from 'zod'
import type { DeployTemplate } from '../../records/kinds/deploy-template.ts'
import { type Fields, RECORD_FIELDS } from '../fields.ts'
import type { ApiParts } from '../parts.ts'
import type { Resource } from '../resource.ts'
import { anyMarker, limitedText } from '../schema.ts'
import { secretTable } from './node/kept-secrets.ts'
import { trait } from './node/traits.ts'
import { checkedSteps, place, STEP, stepArgs, stepsField } from './step-fields.ts'

/** @source Ironic api/controllers/v1/deploy_template.py TEMPLATE_SCHEMA */
const FIELDS: Fields<DeployTemplate> = {
  ...RECORD_FIELDS,
  name: { write: trait },
  description: { write: limitedText(255).nullable() },
  extra: secretTable,
  steps: stepsField(z.strictObject({ ...STEP, args: stepArgs, priority: place }, 'expected an object')),
}

export const deployTemplateResource = ({ store }: ApiParts): Resource<DeployTemplate> => ({
  refusedBefore: { what: 'deploy templates', allow: ['GET'] },
  ...{ name: 'deploy_templates', noun: 'Deploy template', since: 55, named: 0, records: store.deploy_templates },
  ...{ fields: FIELDS, defaults: ['uuid', 'name'], filters: {}, marker: anyMarker },
  create: { required: ['name', 'steps'], draft: checkedSteps },
  patch: { change: (_template, fields) => checkedSteps(fields) },
})
