/** Extension `standby`: write an image, flush, switch off. @source ironic-python-agent extensions/standby.py */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { AgentError, messageOf } from '../errors.ts'
import { listDisks } from '../hardware/disks.ts'
import { findRootDevice } from '../hardware/root-device.ts'
import { parseImageInfo } from '../image/image-info.ts'
import { writeImage } from '../image/write-image.ts'
import type { CommandContext, CommandDefinition, Params } from '../protocol/commands.ts'
import type { AgentContext } from './context.ts'
import { refuseShared } from './guard.ts'

/** So that the answer to the command itself still goes out. */
const LAST_WORDS_MS = 200
const SHUTDOWN_TIMEOUT_S = 120

export function standbyCommands(agent: AgentContext): Record<string, CommandDefinition> {
  return {
    prepare_image: {
      kind: 'async',
      validate: ({ image_info }) => void parseImageInfo(image_info, agent),
      run: (params, context) => prepareImage(agent, params, context),
    },
    sync: { kind: 'sync', run: () => flush(agent) },
    get_partition_uuids: {
      kind: 'sync',
      run: async () => (agent.root_uuid === undefined ? {} : { 'root uuid': agent.root_uuid }),
    },
    power_off: { kind: 'async', run: () => shutDown(agent, 'poweroff') },
    run_image: { kind: 'async', run: () => shutDown(agent, 'reboot') },
  }
}

/** @returns what ironic-python-agent tells of it */
export async function prepareImage(agent: AgentContext, params: Params, context: CommandContext): Promise<string> {
  const image = parseImageInfo(params.image_info, agent)
  const { disk_wait_attempts: attempts, disk_wait_delay_s: delay_s } = agent.options
  const disk = await findRootDevice(agent.root, agent.node, { attempts, delay_s })
  await refuseShared(agent, [disk])
  const configdrive =
    typeof params.configdrive === 'string' && params.configdrive !== '' ? params.configdrive : undefined
  const written = await writeImage({ ...agent, disk, image, configdrive, progress: context.progress })
  agent.root_uuid = written.root_uuid
  return written.message
}

/** @throws AgentError CommandExecutionError */
async function flush({ root, programs, screen }: AgentContext): Promise<void> {
  await programs.run('sync', [], { timeout_s: SHUTDOWN_TIMEOUT_S }).catch((cause: unknown) => {
    throw new AgentError('CommandExecutionError', `Flushing file system buffers failed: ${messageOf(cause)}`, { cause })
  })
  for (const { name } of await listDisks(root)) {
    await programs
      .run('blockdev', ['--flushbufs', join(root, name)])
      .catch((error: unknown) => screen.note(messageOf(error)))
  }
}

async function shutDown(agent: AgentContext, how: 'poweroff' | 'reboot'): Promise<void> {
  agent.screen.say(how === 'poweroff' ? 'Switching this machine off.' : 'Rebooting this machine.')
  await flush(agent).catch((error: unknown) => agent.screen.say(messageOf(error)))
  await pause(LAST_WORDS_MS)
  try {
    // At once: nothing but the agent runs here, and all is flushed.
    await agent.programs.run(how, ['-f'], { timeout_s: SHUTDOWN_TIMEOUT_S })
  } catch (error) {
    agent.screen.say(`${messageOf(error)}. Trying by the kernel's emergency key.`)
    const key = how === 'poweroff' ? 'o' : 'b'
    await writeFile(join(agent.root, 'proc/sysrq-trigger'), key).catch((cause: unknown) => {
      throw new AgentError('SystemRebootError', `${how} failed: ${messageOf(error)}; sysrq: ${messageOf(cause)}`, {
        cause,
      })
    })
  }
}
