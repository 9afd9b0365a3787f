/** Runs a playbook on the node's machine: over SSH, with a pinned host key, variables in a file, and in its turn. */
import type { Json } from '@appliance/core/plugin-api'
import { keyPair, writeFile } from './folder-files.ts'
import { knownHosts, type Pin, pinFor } from './host-key.ts'
import { type Action, type AnsibleTask, interpreterOf, keyFileOf, playbookFor, playbooksPath } from './node-fields.ts'
import { listen } from './told.ts'
import { unsafeYaml } from './unsafe-yaml.ts'
import { splitWords } from './words.ts'

export type Playbook = { action: Action; variables: Json; tags?: readonly string[] }

const HOST = `${import.meta.dirname}/host`
const DEFAULT_CONFIG = `${import.meta.dirname}/ansible.cfg`
const VERBOSE = ['', '-v', '-vv', '-vvv', '-vvvv'] as const

/** @throws failure  one sentence: the failing task's own, or why there was none */
export async function runPlaybook(task: AnsibleTask, { action, variables, tags = [] }: Playbook): Promise<void> {
  const playbook = playbookFor(task, action)
  const name = playbook.slice(playbook.lastIndexOf('/') + 1)
  const args = [
    playbook,
    ...['--inventory', `${playbooksPath(task)}/inventory`],
    ...['--extra-vars', `@${await variablesFile(task, variables)}`],
    ...(tags.length > 0 ? [`--tags=${tags.join(',')}`] : []),
    ...[VERBOSE[task.options.verbosity ?? 0] ?? ''].filter((flag) => flag !== ''),
    ...splitWords(task.options.ansible_extra_args ?? ''),
  ]
  const mark = `${crypto.randomUUID()} `
  const [node] = variables.nodes as { ip: string }[]
  const told = listen({ mark, playbook: name, address: node?.ip ?? '', progress: task.progress })
  const environment = { ...(await environmentFor(task)), ...(await logFor(task, action)), RACKSTRAP_EVENTS: mark }
  const { options } = task
  await task.inTurn(options.max_concurrent, async () => {
    task.progress({ note: name })
    const began_ms = performance.now()
    try {
      await task.exec(options.ansible_playbook_script, args, {
        cwd: await task.folder(),
        env: environment,
        ...filesOf(task),
        timeout_s: options.playbook_timeout,
        onLine: told.onLine,
      })
    } catch (error) {
      task.signal.throwIfAborted()
      const isLate = performance.now() - began_ms >= options.playbook_timeout * 1000
      throw task.failure(isLate ? lateness(task, name, told.at) : (told.problem() ?? (error as Error).message), error)
    }
  })
}

/** What the operator's options name may lie in the appliance's own folder. */
const filesOf = ({ options }: AnsibleTask) => ({
  reads: [options.playbooks_path, options.default_key_file, options.config_file_path].filter(
    (path) => path !== undefined && path !== '',
  ) as string[],
  writes: options.log_path ? [options.log_path] : [],
})

const lateness = ({ options }: AnsibleTask, name: string, at: string | undefined) =>
  `The playbook ${name} did not end within ${options.playbook_timeout} s ([ansible] playbook_timeout)` +
  `${at === undefined ? '' : `; it was at its task "${at}"`}.`

/** Of our own, so that what a record holds is never rendered; the interpreter is a word of the operator's. */
async function variablesFile(task: AnsibleTask, variables: Json): Promise<string> {
  const interpreter = interpreterOf(task)
  const all = { ironic: variables, ...(interpreter ? { ansible_python_interpreter: interpreter } : {}) }
  return writeFile(task, 'variables.yaml', `${unsafeYaml(all)}\n`)
}

/** It counts more than a configuration file, and than what such a file says of host keys. */
async function environmentFor(task: AnsibleTask): Promise<Record<string, string>> {
  const folder = await task.folder()
  const own_key = keyFileOf(task)
  const pin = pinFor(task)
  const hosts = await hostsFile(task, pin)
  return {
    HOME: folder,
    ANSIBLE_HOME: `${folder}/.ansible`,
    ANSIBLE_LOCAL_TEMP: `${folder}/tmp`,
    ANSIBLE_CONFIG: await configFor(task),
    ANSIBLE_HOST_KEY_CHECKING: 'True',
    ANSIBLE_PRIVATE_KEY_FILE: own_key ?? (await keyPair(task)).path,
    ANSIBLE_SSH_ARGS: sshArguments(task.node.uuid, pin, { hosts, isOwn: own_key !== undefined }),
    // A busy machine takes its time to greet, and its sshd punishes a client that gave up: Ansible's own is 10 s.
    ANSIBLE_TIMEOUT: '60',
    ANSIBLE_SSH_RETRIES: '3',
    ANSIBLE_CALLBACK_PLUGINS: `${HOST}/callback_plugins`,
    ANSIBLE_CALLBACKS_ENABLED: 'rackstrap',
    ANSIBLE_NOCOLOR: '1',
    ANSIBLE_NOCOWS: '1',
    PYTHONDONTWRITEBYTECODE: '1',
  }
}

/** A host key that was taken on trust counts until the procedure ends. */
async function hostsFile(task: AnsibleTask, pin: Pin): Promise<string> {
  if (pin.keys.length > 0) return writeFile(task, 'known_hosts', knownHosts(task.node.uuid, pin))
  return `${await task.folder()}/known_hosts`
}

/**
 * Of an option that is given twice, ssh takes the first. The socket's name is short: it has a limit of 108 bytes.
 * ssh-agent may hold the key of an operator's own ramdisk; ours needs none.
 */
function sshArguments(uuid: string, { keys }: Pin, { hosts, isOwn }: { hosts: string; isOwn: boolean }): string {
  const options = {
    StrictHostKeyChecking: keys.length > 0 ? 'yes' : 'accept-new',
    UserKnownHostsFile: `"${hosts}"`,
    GlobalKnownHostsFile: '/dev/null',
    HostKeyAlias: uuid,
    UpdateHostKeys: 'no',
    ControlMaster: 'auto',
    ControlPersist: '60s',
    ControlPath: 'ssh-%C',
    ServerAliveInterval: '15',
    ServerAliveCountMax: '8',
    ...(isOwn ? {} : { IdentitiesOnly: 'yes', IdentityAgent: 'none' }),
  }
  return Object.entries(options)
    .map(([name, value]) => `-o '${name}=${value}'`)
    .join(' ')
}

async function configFor(task: AnsibleTask): Promise<string> {
  const { config_file_path } = task.options
  if (config_file_path) return config_file_path
  const beside = `${playbooksPath(task)}/ansible.cfg`
  return (await task.missing({ files: [beside] })).length === 0 ? beside : DEFAULT_CONFIG
}

/** Ansible writes into a file that is there, and keeps its permissions. */
async function logFor({ node, options, exec }: AnsibleTask, action: Action): Promise<Record<string, string>> {
  if (!options.log_path) return {}
  const time = new Date().toISOString().replace(/[:.]/g, '-')
  const name = `${time}_${node.uuid}_${action}.log`
  await exec('sh', [`${HOST}/keep-log.sh`, options.log_path, name, String(options.log_files)], {
    writes: [options.log_path],
  })
  return { ANSIBLE_LOG_PATH: `${options.log_path}/${name}` }
}
