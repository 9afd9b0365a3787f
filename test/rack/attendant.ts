/** The person at machines whose driver reaches no BMC: switches on what is waited for, and resets what says that its agent is done. */
import { readFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import type { Appliance } from './appliance.ts'
import type { Machine } from './steel/machine.ts'

const LOOK_INTERVAL_MS = 500
/** What our agent shows when it has locked itself down. */
const DONE = 'This machine can be switched off.'

type Buttons = Pick<Machine, 'power' | 'setBootDevice' | 'powerOn' | 'reset'> & { options: { console: string } }

/** @param signal  when the person goes home */
export function attend(
  machine: Buttons,
  uuid: string,
  appliance: Pick<Appliance, 'onLine'>,
  signal: AbortSignal,
): void {
  const stop = appliance.onLine(({ message, node, to }) => {
    if (message !== 'provision state changed' || node !== uuid || !/wait/.test(String(to))) return
    // The network comes first from now on: the appliance sends it to its disk when that is what it shall boot.
    if (machine.power === 'off') void machine.setBootDevice('network').then(() => machine.powerOn())
  })
  void watchScreen(machine, signal).finally(stop)
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
