/** Section [inspection_rules] of the configuration file, by Ironic's names. */
import type { Options } from '../plugin-api/index.ts'

export const inspection_rules = {
  mask_secrets: {
    section: 'inspection_rules',
    type: 'string',
    default: 'always',
    choices: ['always', 'never', 'sensitive'],
    help: 'Whether inspection rules see *** in place of passwords and tokens: always, never, or all but the rules that are sensitive.',
  },
} as const satisfies Options
