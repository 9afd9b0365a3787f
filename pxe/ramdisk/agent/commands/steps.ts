/**
 * Extensions `deploy`, `clean` and `service`: the steps that this agent offers and executes.
 * @source ironic-python-agent hardware.py
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { LayerStep } from '../../../agent-api.ts'
import { AgentError, type ErrorKind, messageOf } from '../errors.ts'
import { listDisks } from '../hardware/disks.ts'
import { chooseRootDevice, type NodeRecord, problemOfHints } from '../hardware/root-device.ts'
import { refuseIncomplete } from '../incomplete.ts'
import { watchMemory } from '../memory.ts'
import type { CommandContext, CommandDefinition, Params } from '../protocol/commands.ts'
import type { AgentContext } from './context.ts'
import { layerStepsOf } from './layer-steps.ts'
import { functionsOf, offered, offersOf, type Phase, type StepFunction } from './step-table.ts'

/** Ironic sends it back with each step: another agent than the one that was asked would be noticed. */
const MANAGER = 'GenericHardwareManager'
const VERSIONS = { generic_hardware_manager: '1.2' }
const FAILURES: Record<Phase, ErrorKind> = {
  deploy: 'DeploymentError',
  clean: 'CleaningError',
  service: 'ServicingError',
}

const offeredByLayer = ({ step, priority, argsInfo }: Pick<LayerStep, 'priority' | 'argsInfo'> & { step: string }) => ({
  ...offered(step, priority),
  ...(argsInfo && { argsinfo: argsInfo }),
})

/** Steps of layers are for deploys. */
const NOTHING = { offers: [], functions: {} } as const satisfies ReturnType<typeof layerStepsOf>

export function stepCommands(agent: AgentContext, phase: Phase): Record<string, CommandDefinition> {
  const brought = phase === 'deploy' ? layerStepsOf(agent) : NOTHING
  const all = [...offersOf(phase), ...brought.offers.map(offeredByLayer)]
  return {
    [`get_${phase}_steps`]: {
      kind: 'sync',
      async run({ node }) {
        remember(agent, node)
        refuseIncomplete(agent.root, FAILURES[phase])
        if (phase !== 'service') await waitForDisk(agent)
        return { [`${phase}_steps`]: { [MANAGER]: all }, hardware_manager_version: VERSIONS }
      },
    },
    [`execute_${phase}_step`]: {
      kind: 'async',
      run: (params, context) =>
        executeStep(agent, { phase, steps: { ...functionsOf(phase), ...brought.functions } }, params, context),
    },
  }
}

function remember(agent: AgentContext, node: unknown): void {
  if (node === null || typeof node !== 'object') return
  agent.node = node as NodeRecord
  if (typeof agent.node.name === 'string') agent.screen.note(`node ${agent.node.name}`)
}

/** Drivers may still be looking for theirs. None at all is the step's business, which says so in words. */
async function waitForDisk({ root, node, options, screen }: AgentContext): Promise<void> {
  const problem = problemOfHints(node)
  if (problem !== undefined) return screen.say(problem)
  for (let attempt = 1; attempt <= options.disk_wait_attempts; attempt++) {
    try {
      const { name } = chooseRootDevice(await listDisks(root), node)
      screen.say(`Root device will be ${name}`)
      return
    } catch (error) {
      if (attempt === 1 || attempt === options.disk_wait_attempts) screen.say(messageOf(error))
    }
    if (attempt < options.disk_wait_attempts) await pause(options.disk_wait_delay_s * 1000)
  }
}

async function executeStep(
  agent: AgentContext,
  { phase, steps }: { phase: Phase; steps: Readonly<Record<string, StepFunction>> },
  params: Params,
  context: CommandContext,
): Promise<unknown> {
  remember(agent, params.node)
  checkVersions(params[`${phase}_version`])
  const step = (params.step ?? {}) as { step?: unknown; args?: unknown }
  const name = typeof step.step === 'string' ? step.step : ''
  const run = Object.hasOwn(steps, name) ? steps[name] : undefined
  if (!run) {
    const known = Object.keys(steps).join(', ')
    throw new AgentError(FAILURES[phase], `This ramdisk has no ${phase} step '${name}'; it has ${known}.`)
  }
  agent.screen.say(`Executing ${phase} step ${name}`)
  const memory = watchMemory(agent.root)
  try {
    const result = await run(agent, (step.args ?? {}) as Params, context)
    return { [`${phase}_result`]: result ?? null, [`${phase}_step`]: step }
  } catch (error) {
    if (error instanceof AgentError) throw error
    throw new AgentError(
      FAILURES[phase],
      `Unexpected exception performing ${phase} step ${name}. ${messageOf(error)}`,
      { cause: error },
    )
  } finally {
    const told = memory.end(name)
    if (told) agent.screen.say(told)
  }
}

function checkVersions(provided: unknown): void {
  if (provided === null || provided === undefined) return
  const same = JSON.stringify(Object.entries(provided).sort()) === JSON.stringify(Object.entries(VERSIONS).sort())
  if (same) return
  const details = `Current versions: ${JSON.stringify(VERSIONS)}, versions used by ironic: ${JSON.stringify(provided)}`
  throw new AgentError('VersionMismatch', details)
}
