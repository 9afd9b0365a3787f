/**
 * In a virtual machine on the appliance: runs the one step that it was started for, tells of it on the second serial
 * line, and switches off.
 */
import { constants, existsSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { AgentContext } from './commands/context.ts'
import { loadLayerSteps, stepAgent } from './commands/layer-steps.ts'
import { messageOf } from './errors.ts'

type Order = { step: string; args: Record<string, unknown>; mirror: boolean; disks: number }
type GuestContext = Pick<AgentContext, 'root' | 'programs' | 'screen' | 'options'>

const ORDER_FILE = 'run/rackstrap/guest.json'
const BEGUN_FILE = 'run/rackstrap/guest-begun'
const REPORT_LINE = 'dev/ttyS1'
const HARDWARE_TIMEOUT_MS = 120_000
const SYNC_TIMEOUT_S = 600
const PROGRESS_PAUSE_MS = 500

export const isGuest = (kernel_parameters: string): boolean => /(^|\s)rackstrap-guest=1(\s|$)/.test(kernel_parameters)

export async function runAsGuest(context: GuestContext): Promise<void> {
  const { root, screen, programs } = context
  const tell = report(root)
  try {
    // A second time: the agent itself has ended in the middle, and init has started it again.
    if (existsSync(join(root, BEGUN_FILE))) throw new Error('The agent in the virtual machine ended unexpectedly.')
    // It comes last in the ramdisk.
    if (!existsSync(join(root, ORDER_FILE))) {
      throw new Error('The virtual machine has too little memory: its ramdisk could not be unpacked whole.')
    }
    writeFileSync(join(root, BEGUN_FILE), '')
    const result = (await execute(context, tell)) ?? null
    // Whoever hears of a result relies on what is on the disks.
    await programs.run('sync', [], { timeout_s: SYNC_TIMEOUT_S })
    tell({ result })
  } catch (error) {
    screen.say(`FAILED: ${messageOf(error)}`)
    tell({ error: messageOf(error) })
  }
  await programs.run('poweroff', ['-f'])
}

async function execute(context: GuestContext, tell: (line: object) => void): Promise<unknown> {
  const { root, screen } = context
  const order = JSON.parse(readFileSync(join(root, ORDER_FILE), 'utf8')) as Order
  // It may hold a ticket for the mirror, and what the step runs looks around.
  rmSync(join(root, ORDER_FILE))
  const problems: string[] = []
  const steps = loadLayerSteps(root, (problem) => problems.push(problem))
  const step = Object.hasOwn(steps, order.step) ? steps[order.step] : undefined
  if (!step) throw new Error(`No layer brings the step ${order.step}. ${problems.join(' ')}`.trim())
  await waitForHardware(root, order)
  let told_at = Number.NEGATIVE_INFINITY
  let note = ''
  screen.say(`Running ${order.step} for the appliance`)
  return step.run(stepAgent({ ...context, node: {} }), order.args, {
    progress(progress) {
      const now = performance.now()
      if (progress.note === note && now - told_at < PROGRESS_PAUSE_MS && progress.done !== progress.total) return
      told_at = now
      note = progress.note
      tell({ progress })
    },
  })
}

async function waitForHardware(root: string, { disks, mirror }: Order): Promise<void> {
  const names = Array.from({ length: disks }, (_, index) => `vd${String.fromCharCode('a'.charCodeAt(0) + index)}`)
  const deadline = performance.now() + HARDWARE_TIMEOUT_MS
  const missing = () => [
    ...names.filter((name) => !existsSync(join(root, 'dev', name))),
    ...(mirror && !hasAddress() ? ['an address on the network'] : []),
  ]
  while (missing().length > 0) {
    if (performance.now() > deadline) throw new Error(`The virtual machine has no ${missing().join(', ')}.`)
    await pause(100)
  }
}

const hasAddress = () =>
  Object.values(networkInterfaces()).some((all) => all?.some(({ internal, family }) => !internal && family === 'IPv4'))

/**
 * @returns a function that writes a line. A line that cannot be written is lost, and the appliance notices the
 * silence.
 */
function report(root: string): (line: object) => void {
  const file = openSync(join(root, REPORT_LINE), constants.O_WRONLY | constants.O_NOCTTY)
  return (line) => void writeSync(file, `${JSON.stringify(line)}\n`)
}
