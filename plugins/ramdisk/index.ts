/**
 * The deploy interface `ramdisk`: a machine boots a kernel with its ramdisk, or an ISO, from the appliance at each
 * start, and nothing is written to its disk. @source Ironic drivers/modules/ramdisk.py
 */
import type { DeployPlugin, InstanceToBoot, ServedFile, StepResult, Task } from '@appliance/core/plugin-api'
import { type FileField, parametersOf, problemOf, systemOf } from './node-fields.ts'
import { OPTIONS, type RamdiskOptions } from './options.ts'

const aboutFile = ({ name, checksum }: FileField) => ({
  field: `instance_info/${name}`,
  ...(checksum === undefined ? {} : { checksum }),
})

async function validate(task: Task<RamdiskOptions>): Promise<void> {
  const problem = problemOf(task.node)
  if (problem !== undefined) throw task.failure(problem)
  task.boot.validate()
  const system = systemOf(task.node)
  const files = 'iso' in system ? [system.iso] : [system.kernel, system.ramdisk]
  for (const file of files) task.images.validateFile(file.href, aboutFile(file))
  if ('kernel' in system) task.boot.validateParameters(parametersOf(task.node, task.options))
}

async function fetched(task: Task<RamdiskOptions>): Promise<InstanceToBoot> {
  const fetch = (file: FileField): Promise<ServedFile> => task.images.file(file.href, aboutFile(file))
  const system = systemOf(task.node)
  if ('iso' in system) return { iso: await fetch(system.iso) }
  const kernel = await fetch(system.kernel)
  return { kernel, ramdisks: [await fetch(system.ramdisk)], parameters: parametersOf(task.node, task.options) }
}

async function deploy(task: Task<RamdiskOptions>): Promise<StepResult> {
  if (task.node.instance_info.configdrive) {
    task.log.warn('config drive ignored: a system that is booted from the network gets none', { node: task.node.uuid })
  }
  await task.boot.instance(await fetched(task))
  await task.power.off()
  await task.power.bootFrom('network', { persistent: true })
  await task.power.on()
  return { done: true }
}

export default {
  apiVersion: '1',
  name: 'ramdisk',
  usesAgent: false,
  options: OPTIONS,
  // @source Ironic supports_deploy: the sentinel tells it from the kernel and ramdisk of a partition image
  supports: ({ instance_info: { ironic_ramdisk_deploy, boot_iso, kernel, ramdisk } }) =>
    Boolean(ironic_ramdisk_deploy && (boot_iso || (kernel && ramdisk))),
  validate,
  async adopt(task) {
    await validate(task)
    await task.boot.instance(await fetched(task))
  },
  deploySteps: () => [{ step: 'deploy', priority: 100, again: true, run: deploy }],
} satisfies DeployPlugin<RamdiskOptions>
