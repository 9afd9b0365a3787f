/** The extra variable `ironic`, in Ironic's shape. Writes no file. @source Ironic ansible/deploy.py */
import type { Json, ServedImage } from '@appliance/core/plugin-api'
import { type AnsibleTask, usernameOf, usesOwnPlaybooks } from './node-fields.ts'
import { isPartitionImage, partitionInfo } from './partition-info.ts'
import { rootDeviceHints } from './root-device-hints.ts'

const MIB = 1024 * 1024
/** Fields image_* of instance_info that are secrets, or no playbook's affair. */
const KEPT_BACK = /secret|password|authorization|token/i

/** `url`: base64 is at that address; `file`: it is in that file on the appliance. */
export type ConfigDrive = { type: 'url' | 'file'; location: string }

/** What every playbook is given. @throws failure  the agent has not called */
export function nodeVariables(task: Pick<AnsibleTask, 'node' | 'options' | 'agent' | 'failure'>): Json {
  const { node } = task
  const { target_raid_config } = node
  return {
    nodes: [{ name: node.uuid, ip: addressOf(task), user: usernameOf(task), extra: node.extra }],
    ...(Object.keys(target_raid_config).length > 0 ? { raid_config: target_raid_config } : {}),
  }
}

/** Where the agent called from: untrusted, and an address all the same. */
function addressOf({ node, agent, failure }: Pick<AnsibleTask, 'node' | 'agent' | 'failure'>): string {
  const host = agent.url !== undefined && URL.canParse(agent.url) ? new URL(agent.url).hostname : ''
  const address = host.replace(/^\[|\]$/g, '')
  if (/^[0-9a-fA-F:.]+$/.test(address)) return address
  throw failure(`The agent of node ${node.uuid} is not at an IP address: there is no machine to run a playbook on.`)
}

/** What the deploy playbook is given beside it. */
export function deployVariables(task: AnsibleTask, image: ServedImage, drive: ConfigDrive | undefined): Json {
  const hints = rootDeviceHints(task.node, { operators: usesOwnPlaybooks(task) })
  if ('problem' in hints) throw task.failure(hints.problem)
  return {
    ...nodeVariables(task),
    image: imageVariable(task, image),
    ...(drive ? { configdrive: drive } : {}),
    ...(Object.keys(hints.hints).length > 0 ? { root_device_hints: hints.hints } : {}),
    ...(isPartitionImage(task.node) ? { partition_info: partitionInfo(task, drive !== undefined) } : {}),
  }
}

/** The node's image_* fields without their prefix, and over them what the appliance serves. */
function imageVariable({ node, options }: Pick<AnsibleTask, 'node' | 'options'>, image: ServedImage): Json {
  const fields = Object.entries(node.instance_info).flatMap(([key, value]) =>
    key.startsWith('image_') && !KEPT_BACK.test(key) ? [[key.slice('image_'.length), value] as const] : [],
  )
  const { url, format, size_bytes, checksum, variants } = image
  return {
    ...Object.fromEntries(fields),
    url,
    disk_format: format,
    ...(isPartitionImage(node) ? { type: 'partition' } : {}),
    ...checksumFields(node.instance_info, checksum),
    ...(size_bytes === undefined ? {} : { size_bytes, mem_req: Math.floor(size_bytes / MIB) + options.extra_memory }),
    ...(size_bytes === undefined ? { mem_req: options.extra_memory } : {}),
    // Of ours: precompressed forms under the same url, by Accept-Encoding.
    variants,
    validate_certs: options.image_store_insecure ? 'no' : 'yes',
    ...(options.image_store_cafile ? { cafile: options.image_store_cafile } : {}),
    ...(options.image_store_certfile && options.image_store_keyfile
      ? { client_cert: options.image_store_certfile, client_key: options.image_store_keyfile }
      : {}),
  }
}

/** ALGORITHM:HEX, as Ansible's modules take it; md5 where the node names no algorithm, as in Ironic. */
function checksumFields({ image_checksum }: Json, served: ServedImage['checksum']): Json {
  if (served) {
    const { algorithm, value } = served
    return { checksum: `${algorithm}:${value}`, os_hash_algo: algorithm, os_hash_value: value }
  }
  if (typeof image_checksum !== 'string' || image_checksum === '') return {}
  return { checksum: image_checksum.includes(':') ? image_checksum : `md5:${image_checksum}` }
}
