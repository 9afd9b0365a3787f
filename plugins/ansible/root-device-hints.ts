/** The node's root device hints as playbooks for Ironic take them. Pure. @source Ironic ansible/deploy.py */
import type { Json } from '@appliance/core/plugin-api'

type Node = { uuid: string; properties: Json; instance_info: Json }
export type Hints = Record<string, string | number | boolean>

const EQUAL = /^(s==|==) /
/** @source oslo.utils specs_matcher */
const OPERATOR = /^(=|!=|<=|>=|<|>|==|s!=|s<=|s<|s==|s>=|s>|<in>|<or>|<all-in>|<range-in>) /

/** instance_info/root_device goes before properties/root_device. @returns problem: hints with operators */
export function rootDeviceHints({ uuid, properties, instance_info }: Node): { hints: Hints } | { problem: string } {
  const given = (instance_info.root_device ?? properties.root_device ?? {}) as Json
  const hints: Hints = {}
  const advanced: string[] = []
  for (const [name, value] of Object.entries(given)) {
    const text = typeof value === 'string' ? value : undefined
    if (text !== undefined && OPERATOR.test(text) && !EQUAL.test(text)) advanced.push(`${name} "${text}"`)
    else hints[name] = plain(name, value)
  }
  if (advanced.length === 0) return { hints }
  return {
    problem:
      `The deploy interface ansible does not support root device hints with operators: node ${uuid} has ${advanced.join(', ')}. ` +
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
