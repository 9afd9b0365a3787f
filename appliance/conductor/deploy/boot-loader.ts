/**
 * Has the agent tell its machine's firmware what to start.
 * @source Ironic agent.py configure_local_boot, agent_client.install_bootloader
 */
import { AgentFailure } from '../../errors.ts'
import type { AgentCommand, Json, Task } from '../../plugin-api/index.ts'
import type { Parts } from '../parts/parts.ts'
import { handleOf } from '../states/node-handle.ts'
import { untilCommandEnds } from '../steps/watch.ts'
import { whenNotBusy } from '../task/busy.ts'

type AgentParts = Pick<Parts, 'store' | 'log' | 'agent'>

const BUSY_LIMIT_MS = 60_000
/** Some firmware takes its time over its variables. */
const DEADLINE_MS = 600_000
const SAID_LIMIT = 500
/** Without a root UUID a stock agent, too, installs no boot loader of its own: images bring theirs. */
const PARAMS = { root_uuid: null, efi_system_part_uuid: null, prep_boot_part_uuid: null, target_boot_mode: null }

/**
 * The agent knows how its machine has booted: by UEFI it makes a boot entry, by BIOS it has nothing to do.
 * @throws AgentFailure
 */
export async function installBootloader(parts: AgentParts, task: Task): Promise<void> {
  const give = () => task.agent.run('image.install_bootloader', PARAMS, { wait: true })
  const given = await whenNotBusy(give, task.signal, BUSY_LIMIT_MS)
  // A RUNNING answer came after [agent] command_timeout, as for any command.
  const { result } = given.status === 'RUNNING' ? await itsEnd(parts, task, given) : given
  const said = (result as Json | null | undefined)?.result
  task.log.info('boot loader settled', typeof said === 'string' ? { agent: said.slice(0, SAID_LIMIT) } : {})
}

async function itsEnd(parts: AgentParts, task: Task, { id }: AgentCommand): Promise<AgentCommand> {
  const { uuid } = task.node
  const node = handleOf(parts, uuid)
  const failed = (why: string) =>
    new AgentFailure(`Agent command image.install_bootloader failed on node ${uuid}: ${why}`)
  const late = AbortSignal.timeout(DEADLINE_MS)
  const signal = AbortSignal.any([task.signal, late])
  await untilCommandEnds(parts, { node, command_id: id, signal, onProgress() {}, async onAlive() {} }).catch(
    (error) => {
      throw late.aborted && !task.signal.aborted ? failed(`it did not end within ${DEADLINE_MS / 1000} s`) : error
    },
  )
  const ended = (await parts.agent.commands(node.record, task.signal)).find((command) => command.id === id)
  if (ended?.status === 'SUCCEEDED') return ended
  throw failed(ended?.error ?? 'the agent no longer knows it')
}
