/** Tells systemd that the appliance is ready, alive or stopping. Does nothing where systemd did not start it. */
import type { Log } from './log.ts'

const NOTIFY_TIMEOUT_MS = 5_000
/**
 * Several pings fit into one watchdog period, so that a lost one does no harm.
 * @source sd_watchdog_enabled(3): half or less
 */
const PINGS_PER_PERIOD = 3

export type SystemdNotify = {
  ready(status: string): Promise<void>
  stopping(): Promise<void>
  [Symbol.dispose](): void
}

/**
 * Node has no datagram sockets of the unix kind: systemd-notify(1) speaks for us (NotifyAccess=all in the unit).
 * @param environment  NOTIFY_SOCKET and WATCHDOG_USEC as systemd sets them
 * @param alive  asked before each watchdog ping; false, a rejection or no answer keeps the ping back, and systemd
 * restarts the unit
 */
export function createSystemdNotify(
  environment: Readonly<Record<string, string | undefined>>,
  log: Log,
  alive: () => Promise<boolean> | boolean,
): SystemdNotify {
  const { NOTIFY_SOCKET } = environment
  const send = async (...messages: string[]) => {
    if (!NOTIFY_SOCKET) return
    try {
      // Read where systemd is told something: execa is a hundred files.
      const { execa } = await import('execa')
      await execa('systemd-notify', messages, { env: { NOTIFY_SOCKET }, cwd: '/', timeout: NOTIFY_TIMEOUT_MS })
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
    ready: (status) => send('--ready', `--status=${status}`),
    stopping: () => send('STOPPING=1'),
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
