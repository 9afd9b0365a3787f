/** The steps of this agent, without those of layers: in which phase each is offered, and what it does. */
import type { LayerStep } from '../../../agent-api.ts'
import type { CommandContext, Params } from '../protocol/commands.ts'
import { BURN_IN_STEPS } from './burn-in.ts'
import type { AgentContext } from './context.ts'
import { ERASE_STEPS } from './erase.ts'
import { FIRMWARE_STEPS, NVRAM_ARGSINFO } from './firmware-memory.ts'
import { prepareImage } from './standby.ts'

export type Phase = 'deploy' | 'clean' | 'service'
export type StepFunction = (agent: AgentContext, args: Params, context: CommandContext) => Promise<unknown>
export type OfferedStep = {
  step: string
  priority: number
  interface: string
  reboot_requested: boolean
  abortable?: boolean
  argsinfo?: LayerStep['argsInfo']
}

type Row = {
  run: StepFunction
  /** Priority by phase: where it stands, it is offered. */
  priorities: Readonly<Partial<Record<Phase, number>>>
  argsinfo?: LayerStep['argsInfo']
}

const writeImageStep: StepFunction = async (agent, args, context) => ({
  result: `prepare_image: ${await prepareImage(agent, args, context)}`,
})

/**
 * A deploy's write_image is called by the deploy interface: its priority says only that it is there. burnin_disk is
 * for no machine in service: it overwrites disks.
 * @source ironic-python-agent hardware.py get_clean_steps, get_deploy_steps, get_service_steps
 */
const ROWS: Readonly<Record<string, Row>> = {
  erase_devices: { run: ERASE_STEPS.erase_devices, priorities: { clean: 10 } },
  erase_devices_metadata: { run: ERASE_STEPS.erase_devices_metadata, priorities: { deploy: 0, clean: 99 } },
  erase_devices_express: { run: ERASE_STEPS.erase_devices_express, priorities: { clean: 0 } },
  erase_pstore: { run: FIRMWARE_STEPS.erase_pstore, priorities: { clean: 0 } },
  clean_uefi_nvram: {
    run: FIRMWARE_STEPS.clean_uefi_nvram,
    priorities: { deploy: 0, clean: 0 },
    argsinfo: NVRAM_ARGSINFO,
  },
  burnin_cpu: { run: BURN_IN_STEPS.burnin_cpu, priorities: { clean: 0, service: 0 } },
  burnin_disk: { run: BURN_IN_STEPS.burnin_disk, priorities: { clean: 0 } },
  burnin_memory: { run: BURN_IN_STEPS.burnin_memory, priorities: { clean: 0, service: 0 } },
  burnin_network: { run: BURN_IN_STEPS.burnin_network, priorities: { clean: 0, service: 0 } },
  write_image: { run: writeImageStep, priorities: { deploy: 0, service: 0 } },
}

const rowsOf = (phase: Phase) => Object.entries(ROWS).filter(([, { priorities }]) => priorities[phase] !== undefined)

export const offersOf = (phase: Phase): OfferedStep[] =>
  rowsOf(phase).map(([step, { priorities, argsinfo }]) => ({
    ...offered(step, priorities[phase] ?? 0),
    ...(phase === 'deploy' || step === 'write_image' ? {} : { abortable: true }),
    ...(argsinfo && { argsinfo }),
  }))

export const functionsOf = (phase: Phase): Readonly<Record<string, StepFunction>> =>
  Object.fromEntries(rowsOf(phase).map(([step, { run }]) => [step, run]))

export const offered = (step: string, priority: number): OfferedStep => ({
  step,
  priority,
  interface: 'deploy',
  reboot_requested: false,
})
