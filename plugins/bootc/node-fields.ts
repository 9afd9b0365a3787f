/**
 * What a node asks for, read from its fields as they come from people and scripts. Each is refused in a sentence,
 * without what is secret.
 */
import type { Json, PullSecret } from '@appliance/core/plugin-api'
import type { BootcTask } from './options.ts'

export type Wanted = {
  /** As it stands behind oci://. */
  reference: string
  architecture: string
  secret: PullSecret | undefined
  /** One public key a line, with a line end; empty: none. */
  authorized_keys: string
  tpm2_luks: boolean
}

/** @throws task.failure */
export function wantedOf(task: BootcTask): Wanted {
  const { properties, instance_info } = task.node
  return {
    reference: referenceOf(task),
    architecture: architectureOf(task, properties.cpu_arch),
    secret: secretOf(task),
    authorized_keys: keysOf(task, instance_info.bootc_authorized_keys),
    tpm2_luks: booleanOf(task, 'bootc_tpm2_luks', instance_info.bootc_tpm2_luks),
  }
}

const shown = (value: unknown) => JSON.stringify(value)?.slice(0, 200)

/** @source Ironic BootcAgentDeploy.validate: MissingParameterValue and InvalidImageRef */
function referenceOf(task: BootcTask): string {
  const { uuid, instance_info } = task.node
  const { image_source } = instance_info
  if (image_source === undefined || image_source === null || image_source === '') {
    throw task.failure(
      `Node ${uuid} failed to validate deploy image info. Some parameters were missing. Missing are: ['instance_info.image_source']`,
    )
  }
  if (typeof image_source !== 'string' || !image_source.startsWith('oci://')) {
    throw task.failure(
      `Invalid image href ${shown(image_source)}. The deploy interface bootc takes a bootable container: oci://HOST/PATH:TAG or oci://HOST/PATH@DIGEST.`,
    )
  }
  return image_source.slice('oci://'.length)
}

/** OCI's words for those of the kernel. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  amd64: 'amd64',
  aarch64: 'arm64',
  arm64: 'arm64',
  ppc64le: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
}

function architectureOf(task: BootcTask, cpu_arch: unknown): string {
  if (cpu_arch === undefined || cpu_arch === null || cpu_arch === '') return 'amd64'
  const known = typeof cpu_arch === 'string' && Object.hasOwn(ARCHITECTURES, cpu_arch)
  const found = known ? ARCHITECTURES[cpu_arch] : undefined
  if (found) return found
  throw task.failure(
    `properties/cpu_arch of node ${task.node.uuid} is ${shown(cpu_arch)}: expected one of ${Object.keys(ARCHITECTURES).join(', ')}.`,
  )
}

const KEYS_LIMIT = 64 * 1024
const PRINTABLE = /^[^\p{Cc}]*$/u

/** Lines, as Ironic has it; a list is taken, too. */
function keysOf(task: BootcTask, value: unknown): string {
  if (value === undefined || value === null || value === '') return ''
  const where = `instance_info/bootc_authorized_keys of node ${task.node.uuid}`
  const lines = Array.isArray(value) ? value : typeof value === 'string' ? value.split(/\r?\n/) : undefined
  if (!lines?.every((line): line is string => typeof line === 'string' && PRINTABLE.test(line.replaceAll('\t', ' ')))) {
    throw task.failure(`${where} is ${shown(value)}: expected public keys as a text, one a line.`)
  }
  const text = lines
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => `${line}\n`)
    .join('')
  if (text.length <= KEYS_LIMIT) return text
  throw task.failure(`${where} has ${text.length} characters: expected at most ${KEYS_LIMIT}.`)
}

function booleanOf(task: BootcTask, name: string, value: unknown): boolean {
  if (value === undefined || value === null || value === '') return false
  const read = task.readBoolean(value)
  if (read !== undefined) return read
  throw task.failure(`instance_info/${name} of node ${task.node.uuid} is ${shown(value)}: expected true or false.`)
}

/** @source Ironic: instance_info first, then driver_info; the registry configuration file is the appliance's matter */
function secretOf(task: BootcTask): PullSecret | undefined {
  for (const field of ['instance_info', 'driver_info'] as const) {
    const value = task.node[field].image_pull_secret
    if (value === undefined || value === null || value === '') continue
    const found = task.registry?.readSecret(value, referenceOf(task))
    // Without a registry nothing is asked for, which is told elsewhere.
    if (found === undefined || 'secret' in found) return found?.secret
    throw task.failure(`${field}/image_pull_secret of node ${task.node.uuid} ${found.problem}.`)
  }
  return undefined
}

export const isTable = (value: unknown): value is Json =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
