/** What of a node's life goes into its history: each last_error, and where a procedure's steps begin and end. */
import { maskSecrets } from '@appliance/ground/secret-words'
import { messageOf } from '../../errors.ts'
import type { Node, ProvisionState } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'
import { isManualCleaning, phaseOf } from './state-machine.ts'

/** Without `histories`, as in a test of something else, nothing is remembered. */
export type HistoryParts = Pick<Parts, 'log'> & Partial<Pick<Parts, 'histories' | 'config' | 'hostname'>>

/** Characters, as of last_error. */
const EVENT_LIMIT = 4000
/** @source Ironic common/states.py INTROSPECTION, UNPROVISION, ADOPTION, RESCUE; conductor/utils.py error handlers */
const OTHER_TYPES: Readonly<Partial<Record<ProvisionState, string>>> = {
  verifying: 'verifying',
  deleting: 'unprovision',
  adopting: 'adoption',
  'adopt failed': 'adoption',
  unrescuing: 'rescue',
  'unrescue failed': 'rescue',
  'rescue failed': 'rescue',
  'inspect failed': 'introspection',
}
const TYPES: Readonly<Record<string, string>> = {
  ...{ deploy: 'deploying', clean: 'cleaning', service: 'servicing', inspect: 'introspection' },
  ...{ rescue: 'rescue', verify: 'verifying' },
}

function typeOf(state: ProvisionState): string {
  const [kind] = phaseOf(state) ?? []
  return (kind && TYPES[kind]) ?? OTHER_TYPES[state] ?? 'UNKNOWN'
}

/** @param node  as it was when that happened @param text  masked and cut already */
export const rememberError = (parts: HistoryParts, node: Node, text: string): Promise<void> =>
  remember(parts, node, { severity: 'ERROR', event_type: typeOf(node.provision_state), event: text })

/** @source Ironic conductor/utils.log_step_flow_history */
export async function rememberSteps(parts: HistoryParts, node: Node, status: 'start' | 'end'): Promise<void> {
  const flow = flowOf(node)
  const [kind] = phaseOf(node.provision_state) ?? []
  const steps = kind && node.driver_internal_info[`${kind}_steps`]
  if (flow === undefined || !steps || !parts.config?.conductor.record_step_flows_in_history) return
  const words = flow.replace('_', ' ')
  const began = status === 'start' ? `Starting ${words}` : `${titled(words)} completed successfully`
  const event = `${began} with steps=${JSON.stringify(maskSecrets(steps))}`.slice(0, EVENT_LIMIT)
  await remember(parts, node, { severity: 'INFO', event_type: `${flow}_${status}`, event })
}

function flowOf(node: Node): string | undefined {
  const [kind] = phaseOf(node.provision_state) ?? []
  if (kind === 'deploy') return 'deployment'
  if (kind === 'service') return 'servicing'
  if (kind === 'clean') return isManualCleaning(node) ? 'manual_cleaning' : 'automated_cleaning'
  return undefined
}

const titled = (words: string) => words.replace(/\b[a-z]/g, (letter) => letter.toUpperCase())

type What = { severity: 'ERROR' | 'INFO'; event_type: string; event: string }

/** What cannot be written is told in the log: nothing else fails for it. */
async function remember({ histories, config, hostname, log }: HistoryParts, node: Node, what: What): Promise<void> {
  if (!histories || !config?.conductor.node_history) return
  const { uuid, provision_state, target_provision_state, provision_updated_at } = node
  const since = Date.parse(provision_updated_at ?? '')
  try {
    await histories.add(uuid, {
      ...what,
      ...{ conductor: hostname ?? '', user: null, project: null, state: provision_state, target_provision_state },
      duration_seconds: Number.isNaN(since) ? null : Math.max(0, Math.floor((Date.now() - since) / 1000)),
    })
  } catch (error) {
    log.warn('node history not written', { node: uuid, event: what.event, reason: messageOf(error) })
  }
}
