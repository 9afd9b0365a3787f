/** Runs the ramdisk's few programs, each with a deadline. Programs are looked up below the agent's root. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf } from './errors.ts'

export type Programs = {
  /** @returns standard output. @throws Error  with what the program wrote to standard error */
  run(name: string, args: readonly string[], timeout_s?: number): Promise<string>
}

const STANDARD_TIMEOUT_S = 60
const OUTPUT_LIMIT_BYTES = 8 * 1024 * 1024
const run = promisify(execFile)

export function createPrograms(root: string): Programs {
  return {
    async run(name, args, timeout_s = STANDARD_TIMEOUT_S) {
      try {
        const options = { timeout: timeout_s * 1000, maxBuffer: OUTPUT_LIMIT_BYTES, killSignal: 'SIGKILL' } as const
        return (await run(join(root, 'usr/bin', name), args, options)).stdout
      } catch (error) {
        const { killed, stderr } = error as { killed?: boolean; stderr?: string }
        const reason = killed ? `did not end within ${timeout_s} s` : stderr?.trim() || messageOf(error)
        throw new Error(`${[name, ...args].join(' ')}: ${reason}`, { cause: error })
      }
    },
  }
}
