/** What a node says to `ansible` in its driver_info, over the options. Looks at the record only. */
import type { Task, Values } from '@appliance/core/plugin-api'
import type { AnsibleOptions } from './options.ts'

export type AnsibleTask = Task<AnsibleOptions>
export type Action = 'deploy' | 'shutdown' | 'clean'
type Given = Pick<AnsibleTask, 'node' | 'options' | 'failure'>

/** @source Ironic ansible/deploy.py OPTIONAL_PROPERTIES */
export const PROPERTIES = {
  ansible_username: 'Account in the deploy ramdisk, which may use sudo without a password. Optional.',
  ansible_key_file:
    'Absolute path on the appliance of a private SSH key, for a ramdisk of your own. Not set: a key pair is made for each deploy. Optional.',
  ansible_playbooks_path: 'Absolute path on the appliance of the folder of playbooks for this node. Optional.',
  ansible_deploy_playbook: 'File in ansible_playbooks_path that deploys. Optional.',
  ansible_shutdown_playbook: 'File in ansible_playbooks_path that shuts the ramdisk down. Optional.',
  ansible_clean_playbook: 'File in ansible_playbooks_path that cleans. Optional.',
  ansible_clean_steps_config: 'File in ansible_playbooks_path with the clean steps. Optional.',
  ansible_python_interpreter: 'Absolute path of Python on the machine. Optional.',
  ansible_host_key:
    "SSH host key of a ramdisk of your own, as in its .pub file ('ssh-ed25519 AAAA...'), or a list of them. Optional.",
  ansible_unknown_host_key:
    'refuse or accept-new: what to do with a ramdisk whose SSH host key nobody has told. Optional.',
  deploy_forces_oob_reboot: 'The BMC switches the machine off after a deploy, without the shutdown playbook. Optional.',
} as const

/** Where the playbooks are that come with this plugin. */
const OWN_PLAYBOOKS = `${import.meta.dirname}/playbooks`
const ACCOUNT = /^[a-z_][a-z0-9_-]{0,31}$/
const HOST_KEY = /^(?:ssh|ecdsa|sk)-[a-z0-9@.-]{1,60} [A-Za-z0-9+/]{16,8000}={0,3}$/

export const isHostKey = (text: unknown): text is string => typeof text === 'string' && HOST_KEY.test(text)
const basename = (path: string) => path.split('/').findLast((part) => part !== '') ?? ''

/** @throws failure  a field of the node is no text */
function textOf({ node, failure }: Given, field: keyof typeof PROPERTIES): string | undefined {
  const value = node.driver_info[field]
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value === 'string' && !/\p{Cc}/u.test(value)) return value
  throw failure(`driver_info/${field} of node ${node.uuid} is no text of one line: expected ${PROPERTIES[field]}`)
}

function pathOf(given: Given, field: keyof typeof PROPERTIES): string | undefined {
  const path = textOf(given, field)
  if (path === undefined || path.startsWith('/')) return path
  throw given.failure(
    `driver_info/${field} of node ${given.node.uuid} is "${path}": expected an absolute path on the appliance.`,
  )
}

export function playbooksPath(given: Given): string {
  const path = pathOf(given, 'ansible_playbooks_path') ?? given.options.playbooks_path ?? OWN_PLAYBOOKS
  return path.replace(/\/+$/, '') || '/'
}

export const usesOwnPlaybooks = (given: Given): boolean => playbooksPath(given) === OWN_PLAYBOOKS

/** Absolute path. As in Ironic, the last part of the name counts: playbooks lie in one folder. */
export function playbookFor(given: Given, action: Action): string {
  const name = textOf(given, `ansible_${action}_playbook`) ?? given.options[`default_${action}_playbook`]
  return `${playbooksPath(given)}/${basename(name)}`
}

export const cleanStepsFile = (given: Given): string =>
  `${playbooksPath(given)}/${basename(textOf(given, 'ansible_clean_steps_config') ?? given.options.default_clean_steps_config)}`

export function usernameOf(given: Given): string {
  const name = textOf(given, 'ansible_username') ?? given.options.default_username
  if (ACCOUNT.test(name)) return name
  throw given.failure(
    `"${name}" is no name of an account: correct driver_info/ansible_username of node ${given.node.uuid} or [ansible] default_username.`,
  )
}

/** undefined: a key pair is made for each procedure. */
export const keyFileOf = (given: Given): string | undefined =>
  pathOf(given, 'ansible_key_file') ?? given.options.default_key_file

export const interpreterOf = (given: Given): string | undefined =>
  textOf(given, 'ansible_python_interpreter') ?? given.options.default_python_interpreter

/** What an operator has said of the machine's host key; empty: nothing. */
export function statedHostKeys({ node, failure }: Pick<Given, 'node' | 'failure'>): readonly string[] {
  const { ansible_host_key } = node.driver_info
  if (ansible_host_key === undefined || ansible_host_key === null || ansible_host_key === '') return []
  const keys = (Array.isArray(ansible_host_key) ? ansible_host_key : [ansible_host_key]).map((key) =>
    typeof key === 'string' ? key.trim().split(/\s+/, 2).join(' ') : key,
  )
  if (keys.every(isHostKey)) return keys
  throw failure(
    `driver_info/ansible_host_key of node ${node.uuid} is no SSH host key: expected the text of a .pub file, such as "ssh-ed25519 AAAA...", or a list of them.`,
  )
}

/** A ramdisk of the user's own brings its own sshd. */
export const usesOwnRamdisk = (node: AnsibleTask['node'], options: Values<AnsibleOptions>): boolean =>
  Boolean(node.driver_info.ansible_key_file || options.default_key_file)
