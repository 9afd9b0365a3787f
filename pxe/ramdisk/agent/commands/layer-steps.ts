/** The deploy steps that layers bring: picks them from their scripts, and hands each what it may touch of the agent. */
import type { LayerStep, StepAgent, StepDisk, StepProgress, Steps } from '../../../agent-api.ts'
import { decodeConfigDrive } from '../disk/config-drive.ts'
import { writeConfigDrive } from '../disk/config-drive-partition.ts'
import { diskPath, openDisk, rereadPartitions } from '../disk/disk-file.ts'
import { AgentError, messageOf } from '../errors.ts'
import { type Disk, listDisks } from '../hardware/disks.ts'
import { findRootDevice } from '../hardware/root-device.ts'
import { fetching } from '../image/fetch-image.ts'
import { loadLayerScripts } from '../layers.ts'
import type { CommandContext, Params } from '../protocol/commands.ts'
import type { AgentContext } from './context.ts'
import { erasableDisks } from './erase.ts'
import { refuseShared } from './guard.ts'

const SCREEN_PAUSE_MS = 500
const MIB = 1024 * 1024
const isStep = (step: unknown): step is LayerStep =>
  step !== null &&
  typeof step === 'object' &&
  typeof (step as LayerStep).run === 'function' &&
  Number.isInteger((step as LayerStep).priority)

/**
 * @param complain  gets one sentence for a script that is none: the agent goes on without it
 * @returns by name; of two with one name the later layer's
 */
export function loadLayerSteps(root: string, complain: (problem: string) => void): Steps {
  const steps: Record<string, LayerStep> = {}
  for (const { layer, exported } of loadLayerScripts(root, complain)) {
    for (const [step, value] of Object.entries(exported.steps ?? {})) {
      if (isStep(value)) steps[step] = value
      else complain(`Step ${step} of layer ${layer} has no priority, or no function "run"; it is left out`)
    }
  }
  return steps
}

type StepFunction = (agent: AgentContext, args: Params, context: CommandContext) => Promise<unknown>

/** As the agent offers and executes them. */
export function layerStepsOf({ root, screen }: Pick<AgentContext, 'root' | 'screen'>): {
  offers: readonly (Pick<LayerStep, 'priority' | 'argsInfo'> & { step: string })[]
  functions: Readonly<Record<string, StepFunction>>
} {
  const steps = Object.entries(loadLayerSteps(root, (problem) => screen.say(problem)))
  return {
    offers: steps.map(([step, { priority, argsInfo }]) => ({ step, priority, ...(argsInfo && { argsInfo }) })),
    functions: Object.fromEntries(steps.map(([name, step]) => [name, functionOf(step)])),
  }
}

function functionOf(step: LayerStep): StepFunction {
  return async (agent, args, context) => {
    const show = onScreen(agent.screen)
    try {
      return await step.run(stepAgent(agent), args, {
        progress(told) {
          context.progress(told)
          show(told)
        },
      })
    } catch (cause) {
      if (cause instanceof AgentError) throw cause
      throw new AgentError('DeploymentError', messageOf(cause), { cause })
    }
  }
}

/** A serial line is slow. */
function onScreen(screen: StepAgent['screen']): (progress: StepProgress) => void {
  let shown_at = Number.NEGATIVE_INFINITY
  return ({ note, done, total, unit }) => {
    const now = performance.now()
    if (now - shown_at < SCREEN_PAUSE_MS && done !== total) return
    shown_at = now
    const count = (value: number) => (unit === 'bytes' ? `${Math.round(value / MIB)} MiB` : String(value))
    const far = done === undefined ? '' : ` ${count(done)}${total === undefined ? '' : ` of ${count(total)}`}`
    screen.progress(`  ${note}${far}`)
  }
}

type StepParts = Pick<AgentContext, 'root' | 'programs' | 'screen' | 'node' | 'options'>

export function stepAgent({ root, programs, screen, node, options }: StepParts): StepAgent {
  return {
    root,
    programs,
    screen,
    node,
    async rootDevice(hints = {}) {
      const { disk_wait_attempts: attempts, disk_wait_delay_s: delay_s } = options
      const disk = await findRootDevice(root, hintedBy(node, hints), { attempts, delay_s })
      await refuseShared({ root, node, options, screen }, [disk])
      return stepDisk(disk)
    },
    erasableDisks: async () => (await erasableDisks({ root, node, options, screen })).map(stepDisk),
    rereadPartitions: (disk) => rereadPartitions(diskPath(root, disk), programs),
    async writeConfigDrive(disk, text) {
      const content = await decodeConfigDrive(text, fetching(options))
      await using file = await openDisk(root, await stillThere(root, disk))
      return await writeConfigDrive(file, content)
    },
  }
}

/** Which disks are to be skipped stays. */
function hintedBy(node: AgentContext['node'], hints: Readonly<Record<string, unknown>>): AgentContext['node'] {
  if (Object.keys(hints).length === 0) return node
  return { ...node, instance_info: { root_device: hints } }
}

const stepDisk = ({ name, size, logical_sectors, model, serial, rotational }: Disk): StepDisk => ({
  name,
  size_bytes: size,
  logical_sector_bytes: logical_sectors,
  model,
  serial,
  rotational,
})

async function stillThere(root: string, { name }: Pick<StepDisk, 'name'>) {
  const disk = (await listDisks(root)).find((candidate) => candidate.name === name)
  if (disk) return disk
  throw new Error(`The disk ${name} is not there`)
}
