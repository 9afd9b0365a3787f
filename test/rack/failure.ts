/** How a run of the rack fails: one sentence of cause, and the file that tells more. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CommandFailed } from './run-program.ts'

/** `log` is the file to read. */
export class RackFailed extends Error {
  readonly log: string
  constructor(message: string, log: string, options?: ErrorOptions) {
    super(message, options)
    this.log = log
  }
}

/** @param logs  folder for the words of a program that failed */
export function explain(error: unknown, logs: string): string {
  if (!(error instanceof Error)) return `failed: ${error}`
  const log = error instanceof RackFailed ? error.log : keep(error, logs)
  return `failed: ${error.message.trim()}\nread ${log}`
}

function keep(error: Error, logs: string): string {
  const path = join(logs, 'failure.log')
  const words = error instanceof CommandFailed ? `${error.stdout}\n${error.stderr}\n` : ''
  writeFileSync(path, `${words}${error.stack}\n`)
  return path
}
