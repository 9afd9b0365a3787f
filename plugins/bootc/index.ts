/**
 * The deploy interface `bootc`: a bootable container becomes the machine's operating system, by way of the appliance's
 * own mirror.
 */
import type { DeployPlugin, Json, Kit, StepResult } from '@appliance/core/plugin-api'
import { bootFiles, checkForStockAgent } from './boot-files.ts'
import { type HostFile, keyFiles, upgradeFiles } from './host-files.ts'
import { type Deploy, examine, hold, registryOf, settle, settledWay } from './image.ts'
import { installArguments, installOnce } from './install-once.ts'
import { type BootcOptions, type BootcTask, OPTIONS } from './options.ts'
import { LAYERS } from './ways.ts'

/**
 * All that the appliance can do by itself, before the machine is touched: what fails here leaves its old system as it
 * was.
 */
async function deploy(task: BootcTask): Promise<StepResult> {
  const deploy = await settle(task)
  await hold(task, deploy)
  if (deploy.way === 'appliance') await installOnce(task, deploy)
  else await task.boot.files(bootFiles(deploy.image, await registryOf(task).access(deploy.image)))
  await task.boot.agent()
  return { wait: 'agent-boot', note: 'waiting for the agent' }
}

type ImageKit = Pick<Kit, 'imageInfo'>

/** By the name that Ironic's own step has. */
async function install(kit: ImageKit, task: BootcTask): Promise<StepResult> {
  const deploy = await settle(task)
  if (deploy.way === 'appliance') return writeInstalled(kit, task, deploy)
  return offers(task, 'bootc_install') ? installOnMachine(task, deploy) : installByStockAgent(task, deploy)
}

const offers = (task: BootcTask, name: string) => task.agent.steps().some(({ step }) => step === name)
const execute = (task: BootcTask, step: string, args: Json) => task.agent.execute({ interface: 'deploy', step, args })

/**
 * What an encrypted disk is to hold goes there while it is open. All else comes when the tenant's container does not
 * run any more: it could read it.
 */
async function installOnMachine(task: BootcTask, deploy: Deploy): Promise<StepResult> {
  const mirror = await registryOf(task).access(deploy.image)
  return execute(task, 'bootc_install', {
    ...installArguments(deploy, mirror, task.options.install_timeout),
    scratch: 'target',
    ...(deploy.wanted.tpm2_luks ? { finish: await finishArguments(task, deploy, false) } : {}),
  })
}

/** Keys and encryption it takes from the node that it is sent. @source ironic-python-agent execute_bootc_install */
async function installByStockAgent(task: BootcTask, deploy: Deploy): Promise<StepResult> {
  checkForStockAgent(task, deploy)
  const configdrive = (await task.configDrive.encoded()) ?? null
  // Of its own it would use a secret for the upstream's host only: what it needs for the mirror lies in its ramdisk.
  return execute(task, 'execute_bootc_install', {
    image_source: `oci://${deploy.image.reference}`,
    configdrive,
    oci_pull_secret: null,
  })
}

async function writeInstalled(kit: ImageKit, task: BootcTask, deploy: Deploy): Promise<StepResult> {
  if (!offers(task, 'bootc_finish')) {
    throw task.failure(
      `The agent on node ${task.node.uuid} is not that of this appliance's own ramdisk, and cannot make a copy of an install its own. Set bootc_install to "machine".`,
    )
  }
  const served = await installOnce(task, deploy)
  // The appliance's own: no credentials, no proxies.
  const image_info = kit.imageInfo(served, { id: deploy.image.reference, node_uuid: task.node.uuid })
  return execute(task, 'write_image', { image_info, configdrive: null })
}

/** A stock agent has no such step: its own has done all that it can. */
async function finish(task: BootcTask): Promise<StepResult> {
  const deploy = await settle(task)
  const isCopy = deploy.way === 'appliance'
  if (!isCopy && (deploy.wanted.tpm2_luks || !offers(task, 'bootc_install'))) return { done: true }
  return execute(task, 'bootc_finish', await finishArguments(task, deploy, isCopy))
}

async function finishArguments(task: BootcTask, deploy: Deploy, isCopy: boolean): Promise<Json> {
  const configdrive = await task.configDrive.encoded()
  return { files: await filesFor(task, deploy), configdrive: configdrive ?? null, new_ids: isCopy, grow: true }
}

async function filesFor(task: BootcTask, { image, wanted }: Deploy): Promise<HostFile[]> {
  if (!task.options.day2) return keyFiles(wanted)
  const access = await registryOf(task).access(image, { for: 'host' })
  return [...keyFiles(wanted), ...upgradeFiles(image, access, wanted.secret)]
}

export default {
  apiVersion: '1',
  name: 'bootc',
  usesAgent: true,
  options: OPTIONS,
  properties: {
    image_pull_secret:
      "Pull secret of the image's registry, when instance_info has none: base64 of user:password, user:password, or the JSON of an auth file. Optional.",
    bootc_install: 'Where the container is installed: auto, machine or appliance. Optional.',
    bootc_day2: 'Whether the installed host is set up to upgrade through the mirror. Optional.',
  },
  // What is only written and finished needs no podman, and the machine its memory.
  ramdiskLayers({ kept, procedure }) {
    if (procedure === 'clean') return []
    return settledWay(kept) === 'appliance' ? ['disk-tools'] : LAYERS
  },
  // Ironic asks the registry as well; here no other interface takes such an address.
  supports: ({ instance_info: { image_source } }) =>
    typeof image_source === 'string' && /^\s*(oci|docker):\/\//i.test(image_source),
  async validate(task) {
    task.disk.validate()
    await examine(task)
  },
  deploySteps: (kit) => [
    ...kit.agentFlow({ without: ['deploy'] }),
    // Each again after a restart: what is held, installed or cached is there at once, and a busy agent is waited for.
    { step: 'deploy', priority: 100, again: true, run: deploy },
    { step: 'execute_bootc_install', priority: 80, again: true, run: (task) => install(kit, task) },
    { step: 'bootc_finish', priority: 75, again: true, run: finish },
  ],
} satisfies DeployPlugin<BootcOptions>
