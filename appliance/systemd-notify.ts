/** Tells systemd that the appliance is ready, alive or stopping. Does nothing where systemd did not start it. */
import { write } from 'node:fs'
import { promisify } from 'node:util'
import type { Log } from './log.ts'

/**
 * Several pings fit into one watchdog period, so that a lost one does no harm.
 * @source sd_watchdog_enabled(3): half or less
 */
const PINGS_PER_PERIOD = 3

const NO_SOCKET =
  'the appliance was not started by appliance/rackstrap, which opens the socket of systemd: correct ExecStart='

export type SystemdNotify = {
  ready(status: string): Promise<void>
  stopping(): Promise<void>
  [Symbol.dispose](): void
}

/**
 * systemd hears the main process alone (NotifyAccess=main in the unit), and Node makes no datagram sockets of the unix
 * kind: the start script hands down one that is connected. What is written to it is a datagram of this process.
 * @param environment  NOTIFY_SOCKET and WATCHDOG_USEC as systemd sets them, RACKSTRAP_NOTIFY_FD as notify-socket does
 * @param alive  asked before each watchdog ping; false, a rejection or no answer keeps the ping back, and systemd
 * restarts the unit
 */
export function createSystemdNotify(
  environment: Readonly<Record<string, string | undefined>>,
  log: Log,
  alive: () => Promise<boolean> | boolean,
): SystemdNotify {
  const { NOTIFY_SOCKET, RACKSTRAP_NOTIFY_FD } = environment
  const send = async (...messages: string[]) => {
    if (!NOTIFY_SOCKET) return
    try {
      if (!RACKSTRAP_NOTIFY_FD) throw new Error(NO_SOCKET)
      await promisify(write)(Number(RACKSTRAP_NOTIFY_FD), messages.join('\n'))
    } catch (error) {
      log.warn('systemd was not told', { messages, error })
    }
  }
  const watchdog_ms = Number(environment.WATCHDOG_USEC ?? 0) / 1000
  const ping = async () => {
    if (await alive()) await send('WATCHDOG=1')
    else log.error('watchdog ping kept back: the appliance is not healthy')
  }
  const timer =
    NOTIFY_SOCKET && watchdog_ms > 0
      ? setInterval(
          () => void ping().catch((error) => log.error('watchdog failed', { error })),
          watchdog_ms / PINGS_PER_PERIOD,
        )
      : undefined
  timer?.unref()
  return {
    ready: (status) => send('READY=1', `STATUS=${status}`),
    stopping: () => send('STOPPING=1'),
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
