/**
 * The kickstart of a node: its template, what it is told, and whether it says what an installer has to. Ironic's
 * templates are taken as they are. @source Ironic common/pxe_utils.py build_kickstart_config_options
 */
import type { Json } from '@appliance/core/plugin-api'
import { DEFAULT_TEMPLATE } from './default-template.ts'
import type { LiveImage } from './liveimg.ts'
import type { Wanted } from './node-fields.ts'
import type { AnacondaTask } from './options.ts'
import { writeFiles } from './shell-files.ts'

export type Template = { text: string; name: string }

const TEMPLATE_LIMIT_BYTES = 256 * 1024
/** Where cloud-init looks for a drive that is a folder. @source Ironic kickstart_utils.prepare_config_drive */
const SEED = '/var/lib/cloud/seed/config_drive'

/** @throws what the image cache says of its address; task.failure  a path that cannot be read */
export async function templateOf(task: AnacondaTask, { ks_template }: Wanted): Promise<Template> {
  if (ks_template) return { text: await task.images.text(ks_template.href, ks_template), name: ks_template.field }
  const { default_ks_template: path } = task.options
  if (path === undefined) return { text: DEFAULT_TEMPLATE, name: 'of the deploy interface anaconda' }
  try {
    const { stdout } = await task.exec('head', ['-c', String(TEMPLATE_LIMIT_BYTES + 1), '--', path])
    return { text: stdout, name: `[anaconda] default_ks_template (${path})` }
  } catch (error) {
    task.signal.throwIfAborted()
    throw task.failure(
      `[anaconda] default_ks_template cannot be read: ${error instanceof Error ? error.message : error}. Correct it, or give node ${task.node.uuid} an instance_info/ks_template.`,
      error,
    )
  }
}

/** What stands in the place of each variable while the template is looked at. Nothing of it is secret. */
const EXAMPLE: Json = {
  liveimg_url: 'http://liveimg-url.example/image.tar.gz',
  liveimg_checksum: '5e'.repeat(32),
  agent_token: 'agent-token-example',
  heartbeat_url: 'http://heartbeat-url.example/v1/heartbeat/node',
  config_drive: '# config-drive-example',
  container_url: 'container-url.example/org/app:v1',
  container_pre: '# container-pre-example',
  container_post: '# container-post-example',
}
/** Always there, so that no template fails over them. */
const ALWAYS = ['liveimg_url', 'agent_token', 'heartbeat_url', 'config_drive']
const OF_SOURCE: Readonly<Record<Wanted['source']['kind'], readonly string[]>> = {
  liveimg: ['liveimg_checksum'],
  url: [],
  container: ['container_url', 'container_pre', 'container_post'],
}

/** What the node's record alone says. @source Ironic: these are there, or are not; 'true' is only a value */
const flagsOf = ({ options }: AnacondaTask, { source, disk }: Wanted): Json => ({
  ...(source.kind === 'url' ? { is_source_a_path: 'true' } : {}),
  ...(options.insecure_heartbeat ? { insecure_heartbeat: 'true' } : {}),
  ...(source.kind === 'container' ? { container_command: options.container_command } : {}),
  ...(disk === undefined ? {} : { root_device: disk }),
})

/**
 * @param hasConfigDrive  then the template must write it: what was given is not to be lost
 * @returns the kickstart with examples for everything that is secret or not known yet
 * @throws task.failure  a variable that the installation needs is not in it
 */
export async function checkTemplate(
  task: AnacondaTask,
  wanted: Wanted,
  { text, name }: Template,
  hasConfigDrive: boolean,
): Promise<string> {
  const own = [...ALWAYS, ...OF_SOURCE[wanted.source.kind]]
  const examples = Object.fromEntries(own.map((key) => [key, EXAMPLE[key]]))
  const rendered = await task.render(text, { ks_options: { ...examples, ...flagsOf(task, wanted) } }, { name })
  const needed = [
    wanted.source.kind === 'container' ? 'container_url' : 'liveimg_url',
    ...['agent_token', 'heartbeat_url'],
    ...(hasConfigDrive ? ['config_drive'] : []),
  ]
  const missing = needed.filter((key) => !rendered.includes(String(EXAMPLE[key])))
  if (missing.length === 0) return rendered
  // Begins as Ironic's does.
  throw task.failure(
    `Following required kickstart option variables are missing from the kickstart template: ${missing.join(', ')} ` +
      `(${name}, node ${task.node.uuid}). Use each as {{ ks_options.${missing[0]} }}.`,
  )
}

/** What the installation is made of, beside the node's record. */
export type Parts = { liveimg?: LiveImage; container: Json }

/** The token is made here: not before the machine is off. */
export async function renderKickstart(
  task: AnacondaTask,
  wanted: Wanted,
  { text, name }: Template,
  { liveimg, container }: Parts,
): Promise<string> {
  const files = await task.configDrive.files()
  const drive = files.map(({ path, content }) => ({ path: `${SEED}/${path}`, content }))
  const { source } = wanted
  const ks_options = {
    liveimg_url: liveimg?.url ?? (source.kind === 'url' ? source.url : ''),
    ...(liveimg?.sha256 === undefined ? {} : { liveimg_checksum: liveimg.sha256 }),
    agent_token: await task.callback.token(),
    heartbeat_url: task.callback.url,
    config_drive: writeFiles('%post --erroronfail', drive),
    ...container,
    ...flagsOf(task, wanted),
  }
  return task.render(text, { ks_options }, { name })
}

/** These have ksvalidator open any file or address, and tell its lines: not for a stranger's template. */
const READS_FILES = /^(\s*)%(ksappend|include)\b.*$/gm
const CHECK = 'umask 077; cat > "$1"; said=$(ksvalidator "$1" 2>&1) || printf %s "$said"'
const SAID_LIMIT = 500

/**
 * By pykickstart's own ksvalidator, where the box has it, as Ironic does.
 * @param kickstart  without secrets: the validator repeats lines
 * @throws task.failure  what it says
 */
export async function validateKickstart(task: AnacondaTask, kickstart: string): Promise<void> {
  const { stdout: found } = await task.exec('sh', ['-c', 'command -v ksvalidator || true'])
  if (found.trim() === '') return task.log.debug('kickstart not validated: ksvalidator is not installed')
  const input = kickstart.replace(READS_FILES, '$1# %$2')
  const file = `${await task.folder()}/ks.cfg`
  const { stdout: said } = await task.exec('sh', ['-c', CHECK, 'sh', file], { input, timeout_s: 60 })
  if (said.trim() === '') return
  const problems = said.replace(/^\s*Checking kickstart file .*$/gm, '')
  const words = problems.replaceAll(file, 'it').replace(/\s+/g, ' ').trim().slice(0, SAID_LIMIT)
  throw task.failure(
    `The kickstart file generated does not pass validation. The ksvalidator tool returned the following error: ${words}`,
  )
}
