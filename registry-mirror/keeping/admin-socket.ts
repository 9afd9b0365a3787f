/**
 * How a command reaches the registry that runs: a unix socket in storage_path, for its owner alone. One JSON request; lines of progress,
 * then the answer. Under /v2 it is the registry itself, whose owner needs no credentials.
 */
import { once } from 'node:events'
import { chmod, rm } from 'node:fs/promises'
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { RegistryError, type RegistryLog } from '../config.ts'
import { codeOf } from '../storage/disk.ts'
import type { AdminAnswer, AdminRequest } from './admin.ts'
import type { Counts } from './jobs.ts'

export type Administer = (request: AdminRequest, progress: (counts: Counts) => void) => Promise<AdminAnswer>
type Handle = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>
type Line = { progress: Counts } | { answer: AdminAnswer } | { error: string }

export const socketPath = (storage_path: string) => join(storage_path, 'admin.sock')
const PROGRESS_EVERY_MS = 200

/** The storage's lock is held: a socket that is there is left over. @returns how to close it */
export async function listenForAdmin(
  storage_path: string,
  { administer, handle }: { administer: Administer; handle: Handle },
  log: RegistryLog,
): Promise<() => Promise<void>> {
  const path = socketPath(storage_path)
  await rm(path, { force: true })
  const server = createServer({ requestTimeout: 0 }, async (request, response) => {
    if (!(await handle(request, response))) await answer(request, response, { administer, log })
  })
  try {
    server.listen(path)
    await once(server, 'listening')
    await chmod(path, 0o600)
  } catch (error) {
    server.close()
    // The registry itself works all the same. A path beyond 107 bytes is one reason.
    log.warn('commands cannot reach this registry while it runs', { path, error: (error as Error).message })
  }
  return async () => {
    server.close()
    server.closeAllConnections()
    await rm(path, { force: true })
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { administer, log }: { administer: Administer; log: RegistryLog },
): Promise<void> {
  response.on('error', () => {})
  const write = (line: Line) => response.write(`${JSON.stringify(line)}\n`)
  let told_at = 0
  try {
    const asked = JSON.parse(await text(request)) as AdminRequest
    const found = await administer(asked, (progress) => {
      if (Date.now() - told_at < PROGRESS_EVERY_MS) return
      told_at = Date.now()
      write({ progress })
    })
    write({ answer: found })
  } catch (error) {
    if (!(error instanceof RegistryError)) log.error('a command failed', { error: (error as Error).stack })
    write({ error: (error as Error).message })
  }
  response.end()
}

/** @returns undefined: no registry runs on this folder. @throws RegistryError  what the registry says */
export async function askRunning(
  storage_path: string,
  asked: AdminRequest,
  progress: (counts: Counts) => void,
): Promise<AdminAnswer | undefined> {
  const request = httpRequest({ socketPath: socketPath(storage_path), method: 'POST', path: '/' })
  request.end(JSON.stringify(asked))
  let response: IncomingMessage
  try {
    ;[response] = (await once(request, 'response')) as [IncomingMessage]
  } catch (error) {
    if (['ENOENT', 'ECONNREFUSED', 'EINVAL'].includes(codeOf(error) ?? '')) return undefined
    throw new RegistryError(`The registry of ${storage_path} cannot be asked: ${(error as Error).message}.`, {
      cause: error,
    })
  }
  for await (const text of createInterface({ input: response })) {
    const line = JSON.parse(text) as Line
    if ('progress' in line) progress(line.progress)
    else if ('error' in line) throw new RegistryError(line.error)
    else return line.answer
  }
  throw new RegistryError(`The registry of ${storage_path} stopped before it had answered.`)
}
