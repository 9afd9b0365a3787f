/**
 * Burn-in: stress-ng and fio work the machine for as long as driver_info says, by its agent_burnin_* keys. What comes
 * of it is the step's result.
 * @source ironic-python-agent burnin.py; documentation "Hardware Burn-in"
 */
import { join } from 'node:path'
import { isAbsent } from '../erase/secure-erase.ts'
import { AgentError, messageOf } from '../errors.ts'
import type { CommandContext, Params } from '../protocol/commands.ts'
import { burnInInfo } from './burn-in-info.ts'
import type { AgentContext } from './context.ts'
import { erasableDisks, writableOf } from './erase.ts'
import { timeLeft } from './erasure.ts'
import { runSelfTests } from './self-tests.ts'

type Step = (agent: AgentContext, args: Params, context: CommandContext) => Promise<unknown>

/** What starts and ends a run beside the time that it was given. */
const GRACE_S = 300
const TICK_MS = 10_000
const KEPT_LINES = 60
const FIO_PORT = 9000
const FIO_STREAMS = 16
const READER_PAUSE_MS = 30_000
/** Of fio on a reader whose partner does not listen yet. */
const NOT_YET = /connect|refused|unreachable|timed? ?out|code 16/i

export const BURN_IN_STEPS = {
  burnin_cpu: (agent, _args, context) => stress(agent, context, 'cpu'),
  burnin_memory: (agent, _args, context) => stress(agent, context, 'vm'),
  burnin_disk,
  burnin_network,
} as const satisfies Record<string, Step>

type Run = {
  /** As the operator reads it. */
  what: string
  program: 'stress-ng' | 'fio'
  args: readonly string[]
  /** 0: as long as it takes. */
  runtime_s: number
  limit_s: number
}

async function stress(agent: AgentContext, context: CommandContext, stressor: 'cpu' | 'vm'): Promise<unknown> {
  const info = burnInInfo(agent.node)
  const timeout = info.seconds(`agent_burnin_${stressor}_timeout`, 86_400)
  const output = info.file(`agent_burnin_${stressor}_outputfile`)
  const bytes = stressor === 'vm' ? ['--vm-bytes', info.memory('agent_burnin_vm_vm-bytes', '98%')] : []
  const args = [
    ...[`--${stressor}`, String(info.count(`agent_burnin_${stressor}_${stressor}`, 0)), '--timeout', String(timeout)],
    ...[...bytes, '--metrics-brief', ...(output ? ['--log-file', join(agent.root, output)] : [])],
  ]
  const what = stressor === 'cpu' ? 'the processors' : 'the memory'
  return run(agent, context, { what, program: 'stress-ng', args, runtime_s: timeout, limit_s: timeout + GRACE_S })
}

/** Of all disks that a cleaning may erase: what is on them is gone. */
async function burnin_disk(agent: AgentContext, _args: Params, context: CommandContext): Promise<unknown> {
  const info = burnInInfo(agent.node)
  const loops = info.count('agent_burnin_fio_disk_loops', 4)
  const runtime = info.seconds('agent_burnin_fio_disk_runtime', 0)
  const disks = await writableOf(agent, await erasableDisks(agent))
  if (disks.length === 0) return 'no disk to burn in'
  const args = [
    ...['--rw=readwrite', '--bs=4k', '--buffered=0', '--ioengine=libaio', '--iodepth=32'],
    ...['--verify=crc32c', '--verify_dump=1', '--continue_on_error=verify'],
    ...(runtime > 0 ? [`--runtime=${runtime}`, '--time_based'] : [`--loops=${loops}`]),
    ...outputOf(agent, info.file('agent_burnin_fio_disk_outputfile')),
    // A colon in a name would be two files to fio.
    ...disks.flatMap(({ name }) => [`--name=${name}`, `--filename=${join(agent.root, name).replaceAll(':', '\\:')}`]),
  ]
  const limit_s = runtime > 0 ? runtime + GRACE_S : info.limit_s
  const said = await run(agent, context, { what: 'the disks', program: 'fio', args, runtime_s: runtime, limit_s })
  if (info.flag('agent_burnin_fio_disk_smart_test')) await runSelfTests(agent, disks, { limit_s: info.limit_s })
  return said
}

/** Two machines, each in both roles. */
async function burnin_network(agent: AgentContext, _args: Params, context: CommandContext): Promise<unknown> {
  const info = burnInInfo(agent.node)
  const { role, partner } = info.pair()
  const runtime = info.seconds('agent_burnin_fio_network_runtime', 21_600)
  const wait_s = info.seconds('agent_burnin_fio_network_pairing_timeout', 900)
  const output = info.file('agent_burnin_fio_network_outputfile')
  const said: unknown[] = []
  for (const now of role === 'writer' ? (['writer', 'reader'] as const) : (['reader', 'writer'] as const)) {
    const own =
      now === 'writer'
        ? ['--rw=write', `--runtime=${runtime}`, '--time_based', '--listen']
        : ['--rw=read', `--hostname=${partner}`]
    const args = [
      ...['--ioengine=net', `--port=${FIO_PORT}`, '--fill_device=1', '--group_reporting', '--gtod_reduce=1'],
      ...[`--numjobs=${FIO_STREAMS}`, ...outputOf(agent, output && `${output}.${now}`), `--name=${now}`, ...own],
    ]
    const one = { what: `the network as ${now}`, program: 'fio', args, runtime_s: runtime } as const
    said.push(
      await untilPartnerIsThere(agent, wait_s, () =>
        run(agent, context, { ...one, limit_s: wait_s + runtime + GRACE_S }),
      ),
    )
  }
  return said
}

/** A writer waits in fio; a reader is refused until the writer listens. */
async function untilPartnerIsThere<T>(agent: AgentContext, wait_s: number, act: () => Promise<T>): Promise<T> {
  const deadline_ms = performance.now() + wait_s * 1000
  for (;;) {
    try {
      return await act()
    } catch (error) {
      if (!NOT_YET.test(messageOf(error)) || performance.now() + READER_PAUSE_MS > deadline_ms) throw error
      agent.screen.say(`The partner does not listen yet; trying again in ${READER_PAUSE_MS / 1000} s`)
    }
    await new Promise((resolve) => setTimeout(resolve, READER_PAUSE_MS))
  }
}

const outputOf = ({ root }: AgentContext, file: string | undefined): string[] =>
  file === undefined ? [] : ['--output-format=json', `--output=${join(root, file)}`]

/** @returns the end of what it said */
async function run(
  agent: AgentContext,
  context: CommandContext,
  { what, program, args, runtime_s, limit_s }: Run,
): Promise<string> {
  const began_ms = performance.now()
  const said: string[] = []
  const tell = () => {
    const passed_s = (performance.now() - began_ms) / 1000
    const left = runtime_s > 0 ? timeLeft(passed_s, passed_s, runtime_s) : ''
    context.progress({ note: `burning in ${what}${left && `, ${left}`}` })
  }
  const timer = setInterval(tell, TICK_MS)
  agent.screen.say(`Burning in ${what}: ${program} ${args.join(' ')}`)
  tell()
  try {
    await agent.programs.run(program, args, {
      timeout_s: limit_s,
      onLine(line) {
        agent.screen.note(line)
        said.push(line)
        if (said.length > KEPT_LINES) said.shift()
      },
    })
    return said.join('\n')
  } catch (cause) {
    throw failed(program, what, { cause, said })
  } finally {
    clearInterval(timer)
  }
}

function failed(
  program: string,
  what: string,
  { cause, said }: { cause: unknown; said: readonly string[] },
): AgentError {
  if (isAbsent(cause)) {
    const layer = `layer rackstrap-${program}`
    return new AgentError(
      'CommandExecutionError',
      `This ramdisk has no ${program}. Its ${layer} comes with a burn-in that is asked for before the machine boots; a ramdisk of an older version is built again by "rackstrap ramdisk build".`,
      { cause },
    )
  }
  const last = said.at(-1)
  const more = last === undefined || messageOf(cause).includes(last) ? '' : ` (${last})`
  return new AgentError('CommandExecutionError', `${program} failed on ${what}: ${messageOf(cause)}${more}`, { cause })
}
