/**
 * The deploy interface `ansible`: playbooks that run on the appliance write the machine's disk, over SSH into the
 * deploy ramdisk. @source Ironic drivers/modules/ansible/deploy.py
 */
import type { DeployPlugin } from '@appliance/core/plugin-api'
import { checkFiles, missingPrograms, problemOfBox } from './box.ts'
import { cleanSteps, readCleanSteps } from './clean-steps.ts'
import { keyPair, writeFile } from './folder-files.ts'
import {
  type AnsibleTask,
  keyFileOf,
  PROPERTIES,
  playbookFor,
  statedHostKeys,
  usernameOf,
  usesOwnPlaybooks,
  usesOwnRamdisk,
} from './node-fields.ts'
import { type AnsibleOptions, OPTIONS } from './options.ts'
import { isPartitionImage, partitionInfo } from './partition-info.ts'
import { rootDeviceHints } from './root-device-hints.ts'
import { runPlaybook } from './run-playbook.ts'
import { tearDown } from './tear-down.ts'
import { type ConfigDrive, deployVariables } from './variables.ts'

async function validate(task: AnsibleTask): Promise<void> {
  const missing = await missingPrograms(task)
  if (missing !== undefined) throw task.failure(missing)
  task.images.validate()
  task.disk.validate()
  const hints = rootDeviceHints(task.node, { operators: usesOwnPlaybooks(task) })
  if ('problem' in hints) throw task.failure(hints.problem)
  usernameOf(task)
  statedHostKeys(task)
  playbookFor(task, 'clean')
  if (isPartitionImage(task.node)) partitionInfo(task, true)
  await checkFiles(task)
}

/** The ramdisk of the next boot lets in who has this procedure's key. */
async function letIn(task: AnsibleTask): Promise<void> {
  const account = usernameOf(task)
  if (keyFileOf(task) !== undefined) return
  const { publicKey } = await keyPair(task)
  const content = `${publicKey}\n`
  await task.boot.files([{ path: `/etc/ssh/authorized_keys.d/${account}`, content, mode: 0o644 }])
}

/** Ironic's playbooks remove the file when the machine has it. */
async function configDrive(task: AnsibleTask): Promise<ConfigDrive | undefined> {
  const text = await task.configDrive.encoded()
  if (text === undefined) return undefined
  if (/^https?:\/\//.test(text)) return { type: 'url', location: text }
  return { type: 'file', location: await writeFile(task, `${task.node.uuid}.cndrive`, text) }
}

export default {
  apiVersion: '1',
  name: 'ansible',
  usesAgent: true,
  options: OPTIONS,
  properties: PROPERTIES,
  ramdiskLayers: ({ node, options }) => (usesOwnRamdisk(node, options) ? [] : ['ssh']),
  supports: ({ driver_info }) => Object.keys(driver_info).some((key) => key.startsWith('ansible_')),
  validate,
  async prepare(task) {
    task.images.prefetch()
    await letIn(task)
  },
  async prepareClean(task) {
    await task.keep(await readCleanSteps(task))
    await letIn(task)
  },
  deploySteps: (kit) => [
    ...kit.agentFlow({ without: ['tear_down_agent'] }),
    {
      step: 'write_image',
      priority: 80,
      // The playbook begins anew after a restart.
      again: true,
      async run(task) {
        const image = await task.images.resolve()
        const variables = deployVariables(task, image, await configDrive(task))
        await runPlaybook(task, { action: 'deploy', variables })
        return { done: true }
      },
    },
    {
      step: 'tear_down_agent',
      priority: 40,
      again: true,
      async run(task) {
        await tearDown(task)
        return { done: true }
      },
    },
  ],
  cleanSteps: (_kit, kept) => cleanSteps(kept),
  health: problemOfBox,
} satisfies DeployPlugin<AnsibleOptions>
