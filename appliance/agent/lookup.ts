/** Finds the node that a lookup asks for, and makes the answer. Gives no token out: conductor/agent-calls.ts does. */
import { InvalidParameterValue, NotFound } from '../errors.ts'
import type { Json } from '../plugin-api/index.ts'
import type { Node, ProvisionState } from '../records/kinds/node.ts'
import type { Store } from '../records/store.ts'

export type LookupQuery = { addresses: readonly string[]; node_uuid?: string }

/** States in which a node waits for an agent. @source Ironic states.LOOKUP_ALLOWED_STATES */
const LOOKUP_STATES: ReadonlySet<ProvisionState> = new Set([
  'deploying',
  'wait call-back',
  'cleaning',
  'clean wait',
  'inspecting',
  'inspect wait',
  'rescuing',
  'rescue wait',
  'service wait',
])
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/

export const NO_SUCH_NODE = 'Resource could not be found.'

type LookupOptions = {
  restrict_lookup: boolean
  isBetween?(node: Node): boolean
  /** The agent is of the boot that this box has begun of it. */
  isBooted?(uuid: string): boolean
}

/**
 * A node that does not exist and one in the wrong state give the same answer: it tells a stranger nothing.
 * @param options.isBetween  an agent may call from it between its procedures, too
 * @throws InvalidParameterValue  neither a MAC nor a uuid; NotFound
 */
export function findForLookup(store: Store, query: LookupQuery, options: LookupOptions): Node {
  const addresses = query.addresses
    .map((address) => address.trim().toLowerCase().replaceAll('-', ':'))
    .filter((a) => MAC.test(a))
  if (addresses.length === 0 && !query.node_uuid) {
    throw new InvalidParameterValue("At least one of 'addresses' and 'node_uuid' parameters is required")
  }
  const node = query.node_uuid ? store.nodes.get(query.node_uuid) : nodeOfAddresses(store, addresses, options.isBooted)
  const isInState = (found: Node) => LOOKUP_STATES.has(found.provision_state) || options.isBetween?.(found)
  if (!node || (options.restrict_lookup && !isInState(node))) {
    throw new NotFound(NO_SUCH_NODE)
  }
  return node
}

/**
 * Addresses of two nodes name neither of them, unless the boot tells which: the agent of another machine may have told
 * of cards that it does not have.
 */
function nodeOfAddresses(
  store: Store,
  addresses: readonly string[],
  isBooted: LookupOptions['isBooted'],
): Node | undefined {
  const uuids = [...new Set(addresses.flatMap((address) => store.ports.by('address', address)?.node_uuid ?? []))]
  const uuid = uuids.length > 1 ? uuids.find((each) => isBooted?.(each)) : uuids[0]
  return uuid === undefined ? undefined : store.nodes.get(uuid)
}

export type AgentConfigOptions = {
  agent_token: string
  heartbeat_timeout_s: number
  allow_md5_checksum: boolean
  permitted_image_formats: readonly string[]
}

/**
 * The `config` of a lookup's answer, every key that ironic-python-agent reads, and one of ours, which that one leaves
 * alone.
 * @source Ironic api/controllers/v1/ramdisk.py
 */
export function agentConfig(options: AgentConfigOptions): Json {
  return {
    heartbeat_timeout: options.heartbeat_timeout_s,
    agent_token: options.agent_token,
    agent_token_required: true,
    agent_md5_checksum_enable: options.allow_md5_checksum,
    disable_deep_image_inspection: false,
    permitted_image_formats: options.permitted_image_formats,
    agent_skip_bmc_detect: false,
    enable_bios_bootloader_install: false,
    tls_min_version: '1.2',
    tls_cipher_suites: null,
    metrics: {
      backend: 'noop',
      prepend_host: false,
      prepend_uuid: false,
      prepend_host_reverse: true,
      global_prefix: null,
    },
    metrics_statsd: { statsd_host: 'localhost', statsd_port: 8125 },
    agent_containers: {
      allow_arbitrary_containers: false,
      allowed_containers: [],
      container_steps_file: '/etc/ironic-python-agent.d/mysteps.yaml',
      runner: 'podman',
      pull_options: '--tls-verify=false',
      run_options: '--rm --network=host --tls-verify=false',
    },
    // Our agent may send layer_facts with its heartbeats: a real Ironic refuses fields that it does not know.
    rackstrap_layer_facts: true,
  }
}
