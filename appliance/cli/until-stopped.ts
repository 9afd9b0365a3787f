/** What every command does that runs until somebody ends it. */
import { constants } from 'node:os'
import { createLog, type Log } from '../log.ts'
import { npmGone } from './parent.ts'

/** A stop that takes longer is no clean stop any more. */
const STOP_DEADLINE_MS = 5_000

/** How a shell tells of a program that a signal ended: this, and the signal's number. */
const SIGNALS_FROM = 128
const { SIGTERM } = constants.signals

/** SIGHUP is a terminal or an SSH session that is gone: nothing is read anew here, so there is no other use for it. */
const ENDING = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const

/**
 * For a server, before it starts: a signal in the middle of its start, or right after its first word, ends it in order as well.
 * Ends the process when that takes too long.
 */
export function servingEnd(): Promise<string> {
  const ended = endingSignal()
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
 * Listens on after the first: what waits for child processes takes a signal that nobody else listens to as the process's end, and the
 * same goes for a supervisor's second one.
 */
export function endingSignal(): Promise<string> {
  return new Promise((done) => {
    for (const signal of ENDING)
      process.on(signal, () => (signal === 'SIGHUP' && isUnderNohup() ? undefined : done(signal)))
    void npmGone().then(() => done('end of npm'))
  })
}

/** For a command that keeps nothing half: ends it at a signal, with the status that a shell tells of it, after what `exit` sweeps away. */
export function endAtSignal(): void {
  void endingSignal().then((signal) => process.exit(SIGNALS_FROM + (constants.signals[signal as 'SIGTERM'] ?? SIGTERM)))
}

/** Told by the launcher: Node takes up again a signal that its parent ignores. */
const isUnderNohup = () => process.env.RACKSTRAP_NOHUP !== undefined
