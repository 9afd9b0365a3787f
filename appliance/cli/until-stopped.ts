/** Signals and the end of commands that run until somebody stops them. */
import { constants } from 'node:os'
import { createLog, type Log } from '../log.ts'
import { npmGone } from './parent.ts'

/** A stop that takes longer ends the process. */
const STOP_DEADLINE_MS = 5_000

/** A shell reports a program that a signal ended as this number plus that of the signal. */
const SIGNALS_FROM = 128
const { SIGTERM } = constants.signals

/** SIGHUP means that a terminal or an SSH session is gone; of systemd, which has neither, that plugins are reloaded. */
const ENDING = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const

/**
 * A server calls this before it starts, so that a signal in the middle of its start stops it cleanly as well.
 * Ends the process when that takes too long.
 * @param onHangup  what SIGHUP means here, where it does not mean the end
 */
export function servingEnd(onHangup?: () => void): Promise<string> {
  const ended = endingSignal(onHangup)
  const giveUp = () => {
    createLog('error').error('stopped with work left over', { after_s: STOP_DEADLINE_MS / 1000 })
    process.exit(1)
  }
  void ended.then(() => setTimeout(giveUp, STOP_DEADLINE_MS).unref())
  return ended
}

/** Resolves when everything has stopped. @param ended  from servingEnd() */
export async function untilStopped(ended: Promise<string>, log: Log, stop: () => Promise<unknown>): Promise<void> {
  const signal = await ended
  log.info('stopping', { signal })
  await stop()
  log.info('stopped')
}

/**
 * Listens on after the first signal: a second one would end the process at once when nobody listens to it, and what
 * waits for child processes takes it so, too.
 */
export function endingSignal(onHangup?: () => void): Promise<string> {
  return new Promise((done) => {
    for (const signal of ENDING) {
      const act = () => (signal === 'SIGHUP' && onHangup ? onHangup() : done(signal))
      process.on(signal, () => (signal === 'SIGHUP' && isUnderNohup() ? undefined : act()))
    }
    void npmGone().then(() => done('end of npm'))
  })
}

/**
 * Ends a command at a signal with the status that a shell reports; handlers of `exit` tidy up first. For commands
 * that leave nothing half done.
 */
export function endAtSignal(): void {
  void endingSignal().then((signal) => process.exit(SIGNALS_FROM + (constants.signals[signal as 'SIGTERM'] ?? SIGTERM)))
}

/** The launcher sets it: Node handles again a signal that its parent ignores. */
const isUnderNohup = () => process.env.RACKSTRAP_NOHUP !== undefined
