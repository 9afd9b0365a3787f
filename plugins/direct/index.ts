/**
 * The deploy interface `direct`: the agent writes a whole-disk image to the disk as it comes. @source Ironic
 * drivers/modules/agent.py
 */
import type { DeployPlugin, Kit, StepResult, Task } from '@appliance/core/plugin-api'
import { imageInfoOf, isPermitted } from './image-info.ts'
import { type DirectOptions, OPTIONS } from './options.ts'
import { containerImage, problemOf } from './validate.ts'

/** The agent's own step of this name does the work, and stands in the same place of the deploy. */
async function writeImage(kit: Pick<Kit, 'imageInfo'>, task: Task<DirectOptions>): Promise<StepResult> {
  const image = await task.images.resolve()
  if (task.options.image_server_auth_strategy === 'http_basic' && !isPermitted(image.url, task.options)) {
    task.log.info('image_server_user is not given to this server: image_server_auth_hosts does not name it')
  }
  const configdrive = (await task.configDrive.encoded()) ?? null
  return task.agent.execute({
    interface: 'deploy',
    step: 'write_image',
    args: { image_info: imageInfoOf(kit, task, image), configdrive },
  })
}

export default {
  apiVersion: '1',
  name: 'direct',
  usesAgent: true,
  options: OPTIONS,
  properties: {
    image_http_proxy: 'URL of a proxy for images that the agent fetches over http from another server. Optional.',
    image_https_proxy: 'URL of a proxy for images that the agent fetches over https from another server. Optional.',
    image_no_proxy:
      'Comma-separated host names, IP addresses and domain names (a dot first) that are fetched without the proxy. ' +
      'Ignored unless image_http_proxy or image_https_proxy is set. Optional.',
  },
  async validate(task) {
    const container = containerImage(task.node)
    if (container !== undefined) throw task.failure(container)
    task.images.validate()
    task.disk.validate()
    const problem = problemOf(task.node, task.options)
    if (problem !== undefined) throw task.failure(problem)
  },
  async prepare(task) {
    task.images.prefetch()
  },
  deploySteps: (kit) => [
    ...kit.agentFlow(),
    // Again after a restart: an image that is in the cache is there at once, and a busy agent is waited for.
    { step: 'write_image', priority: 80, again: true, run: (task) => writeImage(kit, task) },
  ],
} satisfies DeployPlugin<DirectOptions>
