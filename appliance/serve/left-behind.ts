/**
 * What nobody waits for or catches in this process. When a plugin left it, its node fails; anything else is a fault of
 * ours.
 */
import process from 'node:process'
import { blame } from '../conductor/plugin/faults.ts'
import { createLog } from '../log.ts'

/** Plugins are loaded with the settings: before there is another log. */
export function watchLeftBehind(): void {
  const log = createLog('error')
  process.on('unhandledRejection', (error) =>
    log.error('promise rejected, and nobody waited for it', { error, ...blame(error) }),
  )
  process.on('uncaughtException', (error) => {
    const plugin = blame(error)
    log.error('error thrown, and nobody caught it', { error, ...plugin })
    // Of ours: nobody knows what is half done, and systemd starts the appliance anew.
    if (plugin === undefined) process.exit(1)
  })
}

/**
 * A plugin may end the process: whoever watches it is to see that as a failure.
 * @returns to be called at our own end
 */
export function unlessEndedByUs(): () => void {
  const fail = (status: number) => {
    if (status === 0) process.exitCode = 1
  }
  process.once('exit', fail)
  return () => void process.off('exit', fail)
}
