/** The node's root device hints as playbooks for Ironic take them. Pure. @source Ironic ansible/deploy.py */
import type { Json } from '@appliance/core/plugin-api'

type Node = { uuid: string; properties: Json; instance_info: Json }
export type Hints = Record<string, string | number | boolean>

const EQUAL = /^(s==|==) /
/** @source oslo.utils specs_matcher */
const OPERATOR = /^(=|!=|<=|>=|<|>|==|s!=|s<=|s<|s==|s>=|s>|<in>|<or>|<all-in>|<range-in>) /

/**
 * instance_info/root_device goes before properties/root_device.
 * @param o.operators  the playbooks ask our agent, which knows all operators: our own do
 * @returns problem: hints with operators, for playbooks that compare texts
 */
export function rootDeviceHints(
  { uuid, properties, instance_info }: Node,
  o: { operators: boolean },
): { hints: Hints } | { problem: string } {
  const given = (instance_info.root_device ?? properties.root_device ?? {}) as Json
  const hints: Hints = {}
  const advanced: string[] = []
  for (const [name, value] of Object.entries(given)) {
    const text = typeof value === 'string' ? value : undefined
    const has_operator = text !== undefined && OPERATOR.test(text) && !EQUAL.test(text)
    if (has_operator && !o.operators) advanced.push(`${name} "${text}"`)
    else hints[name] = has_operator ? text : plain(name, value)
  }
  if (advanced.length === 0) return { hints }
  return {
    problem:
      `Playbooks other than our own do not know root device hints with operators: node ${uuid} has ${advanced.join(', ')}. ` +
      'Name one value for each, or clear the hints and choose the disk in a playbook.',
  }
}

/** Ironic compares without regard to upper case. */
function plain(name: string, value: unknown): string | number | boolean {
  const text = String(value).replace(EQUAL, '').trim().toLowerCase()
  if (name === 'size' && /^\d+$/.test(text)) return Number(text)
  if (name === 'rotational') return typeof value === 'boolean' ? value : /^(true|1|yes|on|t|y)$/.test(text)
  return text
}
