/** Deploy templates: deploy steps that a node takes on with a trait of the template's name. */
import type { Json } from '../../plugin-api/index.ts'
import type { Base, Kind } from '../kind.ts'
import type { AskedStep } from './internal-info.ts'

export type DeployTemplate = Base & {
  /** A trait. */
  name: string
  description: string | null
  steps: readonly AskedStep[]
  extra: Json
}

/** The row of deploy templates. Sentences are Ironic's. */
export const DEPLOY_TEMPLATES: Kind<DeployTemplate, 'name', never> = {
  noun: 'Deploy template',
  defaults: { description: null, steps: [], extra: {} },
  unique: { name: { conflict: ({ name }) => `A deploy template with name ${name} already exists.` } },
}
