/** Which host key the machine's SSH server must have. Nobody's word on the rack's network counts for it. */
import { type AnsibleTask, isHostKey, statedHostKeys } from './node-fields.ts'

/** As the layer `ssh` tells of itself. */
const LAYER = 'ssh'
const KEYS_LIMIT = 16

type Given = Pick<AnsibleTask, 'node' | 'options' | 'agent' | 'failure'>
/** `keys` empty: the first one that is offered is taken, for this procedure. */
export type Pin = { keys: readonly string[] }

/** An operator's word goes first, then what came with the agent's heartbeats. @throws failure  none is known */
export function pinFor(given: Given): Pin {
  const stated = statedHostKeys(given)
  if (stated.length > 0) return { keys: stated }
  const { node, options, agent, failure } = given
  const facts = agent.facts[LAYER] ?? {}
  const told = Array.isArray(facts.ssh_host_keys) ? facts.ssh_host_keys.slice(0, KEYS_LIMIT).filter(isHostKey) : []
  if (told.length > 0) return { keys: told }
  if (options.unknown_host_key === 'accept-new') return { keys: [] }
  const why =
    typeof facts.error === 'string'
      ? `its SSH server did not start: ${facts.error.slice(0, 300)}`
      : 'it is no ramdisk of this appliance, or one that was built before ansible was enabled'
  throw failure(
    `The ramdisk of node ${node.uuid} has told no SSH host key (${why}). Build it again (rackstrap ramdisk build); for a ` +
      'ramdisk of your own set driver_info/ansible_host_key, or driver_info/ansible_unknown_host_key to accept-new.',
  )
}

/** Lines for a known_hosts file; the name is the node's, whatever address it has. */
export const knownHosts = (uuid: string, { keys }: Pin): string => keys.map((key) => `${uuid} ${key}\n`).join('')
