/** Waits until the network is up and the Ironic API answers. Configures no network: init does. */
import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from './errors.ts'
import { describeCard, listNetworkCards } from './hardware/network-cards.ts'
import type { Programs } from './programs.ts'
import type { IronicApi } from './protocol/ironic-api.ts'
import type { Screen } from './screen.ts'

export type ReachOptions = { root: string; screen: Screen; programs: Programs; timeout_s: number }

const PAUSE_MS = 100
/** After that long without a network the screen says so. */
const TOLD_AFTER_MS = 15_000
/** Below it the API's clock is no better than ours. */
const CLOCK_SKEW_MS = 60_000

/** @returns the address from which this machine reaches the API. @throws Error  not within timeout_s */
export async function reachApi(api: IronicApi, options: ReachOptions): Promise<string> {
  const { root, screen, programs, timeout_s } = options
  const started = performance.now()
  let told = ''
  for (;;) {
    try {
      const { localAddress, date } = await api.reach()
      for (const card of await listNetworkCards(root)) screen.say(`Network card ${describeCard(card)}`)
      if (date && Math.abs(date.getTime() - Date.now()) > CLOCK_SKEW_MS) await setClock(date, screen, programs)
      return localAddress
    } catch (error) {
      const problem = `No way to the Ironic API: ${messageOf(error)}`
      const waited_ms = performance.now() - started
      if (waited_ms > timeout_s * 1000) throw new Error(`${problem}. Gave up after ${timeout_s} s.`, { cause: error })
      if (waited_ms > TOLD_AFTER_MS && problem !== told) {
        told = problem
        const cards = (await listNetworkCards(root)).map(describeCard).join('; ')
        screen.say(`${problem}. Network cards: ${cards || 'none that this kernel knows'}. Trying again.`)
      }
    }
    await pause(PAUSE_MS)
  }
}

/** A machine whose battery is empty would make certificates of the wrong year. */
async function setClock(date: Date, screen: Screen, programs: Programs): Promise<void> {
  screen.say(`The clock was ${new Date().toISOString()}; setting it to the API's ${date.toISOString()}`)
  const seconds = Math.floor(date.getTime() / 1000)
  await programs.run('date', ['-u', '-s', `@${seconds}`]).catch((error: unknown) => screen.say(messageOf(error)))
}
