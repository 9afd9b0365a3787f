/**
 * The person at machines whose driver reaches no BMC: does what the node's record says was done, and resets what says
 * that its agent is done.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import type { Appliance } from './appliance.ts'
import type { Machine } from './steel/machine.ts'

const LOOK_INTERVAL_MS = 500
/** What our agent shows when it has locked itself down. */
const DONE = 'This machine can be switched off.'

/** How long a machine has to switch itself off before its plug is pulled. */
const SOFT_OFF_MS = 60_000

type Buttons = Pick<Machine, 'power' | 'setBootDevice' | 'powerOn' | 'powerOff' | 'reset'> & {
  options: { console: string }
}

/** @param signal  when the person goes home */
export function attend(
  machine: Buttons,
  uuid: string,
  appliance: Pick<Appliance, 'onLine'>,
  signal: AbortSignal,
): void {
  let last = Promise.resolve()
  const then = (press: () => Promise<void>) => {
    last = last.then(() => (signal.aborted ? undefined : press())).catch(() => {})
  }
  const stop = appliance.onLine(({ message, node, to, power_state }) => {
    if (node !== uuid) return
    // What the record says was done, the person does.
    if (message === 'power changed')
      then(() => (power_state === 'power on' ? switchOn(machine) : switchOff(machine, signal)))
    if (message === 'provision state changed' && /wait/.test(String(to))) then(() => switchOn(machine))
  })
  void watchScreen(machine, signal).finally(stop)
}

/** The network comes first: the appliance sends the machine to its disk when that is what it shall boot. */
async function switchOn(machine: Buttons): Promise<void> {
  if (machine.power === 'on') return
  await machine.setBootDevice('network')
  await machine.powerOn()
}

async function switchOff(machine: Buttons, signal: AbortSignal): Promise<void> {
  const end_at = Date.now() + SOFT_OFF_MS
  while (machine.power === 'on' && Date.now() < end_at) await setTimeout(LOOK_INTERVAL_MS, undefined, { signal })
  await machine.powerOff()
}

async function watchScreen(machine: Buttons, signal: AbortSignal): Promise<void> {
  let seen = 0
  while (!signal.aborted) {
    await setTimeout(LOOK_INTERVAL_MS, undefined, { signal }).catch(() => {})
    // A machine that has gone with its rack has no screen.
    const times = (await readFile(machine.options.console, 'latin1').catch(() => '')).split(DONE).length - 1
    if (times <= seen) continue
    seen = times
    if (!signal.aborted && machine.power === 'on') await machine.reset().catch(() => {})
  }
}
