/**
 * A container as the source of an installation: by way of the appliance's mirror, and from nowhere else. What bootc and
 * ostree read of it lies in the installer, and for upgrades in the installed system.
 */
import type { ContainerAccess, ContainerImage, ContainerRegistry, Json } from '@appliance/core/plugin-api'
import type { Source } from './node-fields.ts'
import type { AnacondaTask } from './options.ts'
import { type ShellFile, writeFiles } from './shell-files.ts'

type Container = Extract<Source, { kind: 'container' }>

/** Presence counts. */
const LABELS = ['containers.bootc', 'ostree.bootable']

/** @throws task.failure; what the registry says */
function registryOf(task: AnacondaTask): ContainerRegistry {
  if (task.registry) return task.registry
  throw task.failure(
    `Node ${task.node.uuid} cannot be installed from a container: it comes by way of this appliance's registry mirror, and [registry] enabled is false.`,
  )
}

/** Asks the registry. @throws task.failure; what the registry says */
export async function examine(task: AnacondaTask, { reference, architecture, secret }: Container) {
  const image = await registryOf(task).inspect(reference, { architecture, ...(secret !== undefined && { secret }) })
  if (LABELS.some((name) => Object.hasOwn(image.labels, name))) return image
  throw task.failure(
    `Image ${image.reference} of node ${task.node.uuid} is not bootable: it has no label ${LABELS.join(' or ')}. Take an image that bootc can install.`,
  )
}

/** @returns variables of the template. Holds the image: every byte is in the mirror then */
export async function containerOptions(task: AnacondaTask, source: Container): Promise<Json> {
  const registry = registryOf(task)
  const image = await examine(task, source)
  const { secret } = source
  await registry.hold(image, secret === undefined ? {} : { secret })
  const [installer, host] = await Promise.all([registry.access(image), registry.access(image, { for: 'host' })])
  return {
    container_url: image.reference,
    container_command: task.options.container_command,
    container_pre: writeFiles('%pre --erroronfail', installerFiles(image, installer)),
    container_post: writeFiles('%post --erroronfail', hostFiles(image, host, secret)),
  }
}

const repositoryOf = (reference: string) => reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '')

const caFiles = ({ registry, ca }: ContainerAccess): ShellFile[] =>
  ca === undefined ? [] : [{ path: `/etc/containers/certs.d/${registry}/ca.crt`, content: ca, mode: 0o644 }]

const authFile = (locations: readonly string[], auth: string): ShellFile => ({
  path: '/etc/ostree/auth.json',
  content: `${JSON.stringify({ auths: Object.fromEntries(locations.map((location) => [location, { auth }])) })}\n`,
})

const REGISTRIES = '/etc/containers/registries.conf.d/50-rackstrap.conf'

/** The name stays the canonical one, so that the installed system keeps it; the bytes come from the mirror alone. */
function installerFiles({ reference }: ContainerImage, access: ContainerAccess): ShellFile[] {
  const { location, insecure, ticket } = access
  const registries = `[[registry]]
prefix = "${repositoryOf(reference)}"
location = "${location}"
insecure = ${insecure}
`
  const auth = ticket && Buffer.from(`${ticket.username}:${ticket.password}`).toString('base64')
  return [
    { path: REGISTRIES, content: registries, mode: 0o644 },
    ...caFiles(access),
    ...(auth === undefined ? [] : [authFile([location, repositoryOf(reference)], auth)]),
  ]
}

/** Upgrades ask the mirror first, and the upstream when there is no mirror any more. */
function hostFiles({ reference }: ContainerImage, access: ContainerAccess, secret: string | undefined): ShellFile[] {
  const { location, insecure } = access
  const repository = repositoryOf(reference)
  const registries = `[[registry]]
prefix = "${repository}"
location = "${repository}"

[[registry.mirror]]
location = "${location}"
insecure = ${insecure}
`
  return [
    { path: REGISTRIES, content: registries, mode: 0o644 },
    ...caFiles(access),
    ...(secret === undefined ? [] : [authFile([repository, location], secret)]),
  ]
}
