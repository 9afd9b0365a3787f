/**
 * Prints the output of commands: it arrives whole, however slowly it is read, or the command fails. Logs are written
 * by ../log.ts.
 */
import { write as writeWithCallback } from 'node:fs'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { codeOf } from '@appliance/ground/errno'
import { ApplianceError, messageOf } from '../errors.ts'

const write = promisify(writeWithCallback)
const STDOUT = 1
/** Somebody made the pipe non-blocking, as ssh does, and it is full. */
const FULL_PIPE_PAUSE_MS = 10

/** Nobody reads standard output any more, as behind `| head -1`. */
export class ReaderGone extends Error {}

/** What `--json` prints of an answer. */
export const jsonOf = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/**
 * Does not use process.stdout: process.exit() cuts short what it writes to a pipe, and it does not notice a full disk.
 * @throws ReaderGone, ApplianceError (what the system says)
 */
export async function print(content: string | Uint8Array): Promise<void> {
  const bytes = Buffer.from(content)
  for (let at = 0; at < bytes.length; ) {
    try {
      at += (await write(STDOUT, bytes, at)).bytesWritten
    } catch (error) {
      if (codeOf(error) === 'EPIPE') throw new ReaderGone('nobody reads standard output', { cause: error })
      if (codeOf(error) !== 'EAGAIN')
        throw new ApplianceError(
          `Standard output cannot be written: ${messageOf(error)}. Not all that was to be printed arrived.`,
          { cause: error },
        )
      await setTimeout(FULL_PIPE_PAUSE_MS)
    }
  }
}

/** Shows progress in one line on a terminal; elsewhere it does nothing. */
export function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`.slice(0, process.stderr.columns))
}

export function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
}

/** Keeps the process alive when standard error has lost its reader or its terminal. */
export function survivesLostErrors(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
}

/** Resolves when all that was written to standard error is on its way. */
export const errorsWritten = (): Promise<void> => new Promise((done) => process.stderr.write('', () => done()))
