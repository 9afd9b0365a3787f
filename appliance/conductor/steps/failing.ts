/** What the ends of all procedures have in common: the plugin takes away what it made, and the operator reads what went wrong. */
import { messageOf } from '../../errors.ts'
import { maskText } from '../../log.ts'
import type { DeployPlugin } from '../../plugin-api/index.ts'
import { nodeOf, type Parts, pluginOf } from '../parts/parts.ts'
import { removeProcedureFolder } from '../task/folder.ts'
import { makeTask } from '../task/task.ts'
import { whileItProgresses } from './stall.ts'

const CLEAN_UP_DEADLINE_S = 120
const LAST_ERROR_LIMIT = 4000

/** Of a plugin that is `concerned`, and then the folder that it had. Its failure is noted, and changes nothing. */
export async function cleanUpByPlugin(
  parts: Parts,
  uuid: string,
  concerned: (plugin: DeployPlugin) => boolean = () => true,
): Promise<void> {
  try {
    const plugin = pluginOf(parts, nodeOf(parts, uuid))
    if (concerned(plugin)) {
      await whileItProgresses('cleanUp', CLEAN_UP_DEADLINE_S, parts.jobs.stopping, async (guard) =>
        plugin.cleanUp?.(makeTask(parts, uuid, guard)),
      )
    }
  } catch (error) {
    parts.jobs.stopping.throwIfAborted()
    parts.log.warn('plugin did not clean up', { node: uuid, reason: messageOf(error), error })
  }
  await removeProcedureFolder(parts, uuid)
}

/** A plugin's words, or a program's, may repeat what it was called with. */
export const lastErrorOf = ({ message }: Error): string => maskText(message).slice(0, LAST_ERROR_LIMIT)
