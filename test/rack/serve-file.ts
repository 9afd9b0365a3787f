/** A file that a rack's machines fetch from a server that is not the appliance. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Rack } from './rack.ts'
import { ADDRESS } from './steel/network.ts'

const PROGRAM = join(import.meta.dirname, 'file-server.ts')
const PORT = 8090

/** Up until it is disposed of. @returns its address, as machines reach it */
export async function serveFile({ hardware }: Rack, path: string): Promise<AsyncDisposable & { url: string }> {
  const [program = '', ...args] = [...hardware.network.enter, process.execPath, PROGRAM, ADDRESS, String(PORT), path]
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const [told] = await Promise.race([
    once(child.stdout, 'data'),
    ended.then(([code]) => Promise.reject(new Error(`the file server ended with ${code}`))),
  ])
  if (!String(told).startsWith('listening')) throw new Error(`the file server says ${told}`)
  return {
    url: `http://${ADDRESS}:${PORT}/`,
    async [Symbol.asyncDispose]() {
      child.kill()
      await ended
    },
  }
}
