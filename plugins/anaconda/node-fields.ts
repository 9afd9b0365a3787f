/**
 * What a node asks for, read from its fields as they come from people and scripts. Each is refused in a sentence,
 * without what is secret.
 */
import type { PullSecret } from '@appliance/core/plugin-api'
import type { AnacondaTask } from './options.ts'

export type FileField = { field: string; href: string; checksum?: string }
export type Source =
  | { kind: 'liveimg'; file: FileField }
  /** A repository of packages; stays the upstream's. */
  | { kind: 'url'; url: string }
  | { kind: 'container'; reference: string; architecture: string; secret?: PullSecret }
export type Wanted = {
  kernel: FileField
  ramdisk: FileField
  stage2: FileField | undefined
  ks_template: FileField | undefined
  source: Source
  /** Of the installer's kernel, without those that say where things are. */
  parameters: string
  /** As `ignoredisk --only-use` takes it; undefined: all disks. */
  disk: string | undefined
}

const EXPECTED =
  'expected the http(s) or file address of a tarball or squashfs, the address of a repository of packages that ends in "/", or oci://HOST/PATH:TAG'

/** @throws task.failure */
export function wantedOf(task: AnacondaTask): Wanted {
  const { uuid, instance_info } = task.node
  const source = sourceOf(task)
  const [kernel, ramdisk, stage2, ks_template] = (['kernel', 'ramdisk', 'stage2', 'ks_template'] as const).map((name) =>
    fileOf(task, name),
  )
  const missing = [
    ...(kernel ? [] : ['kernel']),
    ...(ramdisk ? [] : ['ramdisk']),
    // A repository says by its .treeinfo where its own is.
    ...(stage2 || source.kind === 'url' ? [] : ['stage2']),
  ]
  if (!kernel || !ramdisk || missing.length > 0) {
    // The words of Ironic's deploy_utils.validate_image_properties.
    throw task.failure(
      `Image ${String(instance_info.image_source)} is missing the following properties: ${missing.join(', ')}. ` +
        `Set ${missing.map((name) => `instance_info/${name}`).join(' and ')} of node ${uuid} to the installer's own: images/pxeboot/vmlinuz, images/pxeboot/initrd.img and images/install.img of its distribution.`,
    )
  }
  return { kernel, ramdisk, stage2, ks_template, source, parameters: parametersOf(task), disk: diskOf(task) }
}

const isEmpty = (value: unknown) => value === undefined || value === null || value === ''
const shown = (value: unknown) => JSON.stringify(value)?.slice(0, 200)

function textOf(task: AnacondaTask, place: 'instance_info' | 'driver_info', name: string): string | undefined {
  const value = task.node[place][name]
  if (isEmpty(value)) return undefined
  if (typeof value === 'string') return value
  throw task.failure(`${place}/${name} of node ${task.node.uuid} is ${shown(value)}: expected a text.`)
}

function fileOf(task: AnacondaTask, name: string, checksum = textOf(task, 'instance_info', `${name}_checksum`)) {
  const href = textOf(task, 'instance_info', name)
  if (href === undefined) return undefined
  return { field: `instance_info/${name}`, href, ...(checksum === undefined ? {} : { checksum }) }
}

function sourceOf(task: AnacondaTask): Source {
  const { uuid, instance_info } = task.node
  const given = textOf(task, 'instance_info', 'image_source')
  if (given === undefined) {
    throw task.failure(
      `Node ${uuid} failed to validate deploy image info. Some parameters were missing. Missing are: ['instance_info.image_source']`,
    )
  }
  if (!isEmpty(instance_info.boot_iso)) {
    throw task.failure("An 'image_source' and 'boot_iso' parameter may not be specified at the same time.")
  }
  if (given.startsWith('oci://')) return containerOf(task, given.slice('oci://'.length))
  if (/^https?:\/\/\S+\/$/i.test(given)) return { kind: 'url', url: given }
  const file = fileOf(task, 'image_source', imageChecksum(task))
  if (file && /^(https?|file):\/\/\S*[^/]$/i.test(given)) return { kind: 'liveimg', file }
  throw task.failure(`instance_info/image_source of node ${uuid} is ${shown(given)}: ${EXPECTED}.`)
}

/** Optional here: an installer reads what it is given. @source Ironic: image_os_hash_* go before image_checksum */
function imageChecksum(task: AnacondaTask): string | undefined {
  const [algo, value] = ['image_os_hash_algo', 'image_os_hash_value'].map((name) => textOf(task, 'instance_info', name))
  if (algo !== undefined && value !== undefined) return `${algo}:${value}`
  return textOf(task, 'instance_info', 'image_checksum')
}

/** OCI's words for those of the kernel. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  ...{ x86_64: 'amd64', amd64: 'amd64', aarch64: 'arm64', arm64: 'arm64' },
  ...{ ppc64le: 'ppc64le', s390x: 's390x' },
}

function containerOf(task: AnacondaTask, reference: string): Source {
  const { uuid, properties } = task.node
  const cpu_arch = isEmpty(properties.cpu_arch) ? 'x86_64' : properties.cpu_arch
  const architecture = typeof cpu_arch === 'string' && Object.hasOwn(ARCHITECTURES, cpu_arch) && ARCHITECTURES[cpu_arch]
  if (!architecture) {
    throw task.failure(
      `properties/cpu_arch of node ${uuid} is ${shown(cpu_arch)}: expected one of ${Object.keys(ARCHITECTURES).join(', ')}.`,
    )
  }
  const secret = secretOf(task, reference)
  return { kind: 'container', reference, architecture, ...(secret === undefined ? {} : { secret }) }
}

function secretOf(task: AnacondaTask, reference: string): PullSecret | undefined {
  for (const field of ['instance_info', 'driver_info'] as const) {
    const value = task.node[field].image_pull_secret
    if (isEmpty(value)) continue
    const found = task.registry?.readSecret(value, reference)
    // Without a registry nothing is asked for, which is told elsewhere.
    if (found === undefined || 'secret' in found) return found?.secret
    throw task.failure(`${field}/image_pull_secret of node ${task.node.uuid} ${found.problem}.`)
  }
  return undefined
}

/** @source Ironic driver utils.get_kernel_append_params */
function parametersOf(task: AnacondaTask): string {
  const configured = task.options.kernel_append_params
  const own =
    textOf(task, 'instance_info', 'kernel_append_params') ?? textOf(task, 'driver_info', 'kernel_append_params')
  return own === undefined ? configured : own.replaceAll('%default%', configured)
}

/** Of an agent's hints those that name a disk to an installer, too. */
const BY_HINT: Readonly<Record<string, (value: string) => string>> = {
  name: (value) => value.replace(/^\/dev\//, ''),
  by_path: (value) => value.replace(/^\/dev\//, ''),
  wwn: (value) => `disk/by-id/wwn-${value}`,
  serial: (value) => `disk/by-id/*${value}`,
}

function diskOf(task: AnacondaTask): string | undefined {
  const { uuid, properties, instance_info } = task.node
  const hints = instance_info.root_device ?? properties.root_device
  if (isEmpty(hints)) return undefined
  const names = Object.keys(BY_HINT)
  const entries = typeof hints === 'object' && hints !== null && !Array.isArray(hints) ? Object.entries(hints) : []
  const [[name = '', value] = []] = entries
  const how = Object.hasOwn(BY_HINT, name) ? BY_HINT[name] : undefined
  if (entries.length === 1 && how && typeof value === 'string' && /^[A-Za-z0-9./:_-]{1,128}$/.test(value)) {
    return how(value)
  }
  throw task.failure(
    `The root device hints of node ${uuid} are ${shown(hints)}: an installer understands one of ${names.join(', ')}, as a plain text. Give one of these, or none: all disks are cleared then.`,
  )
}
