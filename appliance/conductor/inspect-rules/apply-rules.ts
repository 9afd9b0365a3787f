/**
 * Inspection rules, applied to what an inspection has found. The rules are evaluated in a process apart; what they do
 * is done here to a copy of the records, checked, and handed to the caller, who writes it. Changes no record itself.
 */
import { ApartFailure, runApart } from '@appliance/ground/apart'
import type { Json } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import type { act, Evaluated, Order, View } from './evaluate.ts'
import { type Found, outcomeOf, type RuleOutcome, type RuleParts } from './outcome.ts'
import { attributesOf } from './settable.ts'

const DEADLINE_MS = 20_000
const MEMORY_BYTES = 256 * 1024 * 1024
const ANSWER_BYTES = 16 * 1024 * 1024

/** Greater priorities first; of equal ones what was made first. Never rejects for what a rule does. */
export async function applyRules(
  parts: RuleParts,
  node: Node,
  found: Found,
  { phase = 'main', deadline_ms = DEADLINE_MS }: { phase?: string; deadline_ms?: number } = {},
): Promise<RuleOutcome> {
  const rules = [...parts.store.inspection_rules.all()]
    .filter((rule) => rule.phase === phase)
    .sort((a, b) => b.priority - a.priority)
  if (rules.length === 0) {
    return { node: {}, internal: {}, ports: new Map(), plugin_data: found.plugin_data, afterwards: null, failure: null }
  }
  const ports = parts.store.ports.where('node_uuid', node.uuid)
  const view = {
    node: attributesOf(node),
    ports: Object.fromEntries(ports.map((port) => [port.uuid, port as unknown as Json])),
    ...found,
  }
  const order = { rules, masks: parts.config.inspection_rules.mask_secrets }
  const evaluated = await evaluatedApart(order, view, deadline_ms)
  parts.log.info('inspection rules applied', {
    node: node.uuid,
    rules: evaluated.applied,
    ...(evaluated.unresolved.length > 0 ? { unresolved: evaluated.unresolved } : {}),
  })
  return outcomeOf(parts, { node, ports, found, evaluated })
}

async function evaluatedApart(order: Order, view: View, deadline_ms: number): Promise<Evaluated> {
  try {
    return await runApart<typeof act>({
      module: new URL('./evaluate.ts', import.meta.url),
      order,
      input: Buffer.from(JSON.stringify(view)),
      ...{ memory_bytes: MEMORY_BYTES, deadline_ms, answer_bytes: ANSWER_BYTES },
    })
  } catch (error) {
    if (!(error instanceof ApartFailure)) throw error
    const reason = `Inspection rule execution failed. Reason: the evaluation of ${order.rules.length} rules ${error.message}`
    return { effects: [], applied: [], unresolved: [], failure: { rule: '', reason } }
  }
}
