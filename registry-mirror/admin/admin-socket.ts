/**
 * The socket in storage_path by which commands reach the running registry. Under /v2 the socket serves the registry
 * itself, to its owner, without credentials.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { Counts } from '@appliance/ground/jobs'
import { askSocket, listenOnSocket } from '@appliance/ground/json-socket'
import type { RegistryLog } from '../config/config.ts'
import { RegistryError } from '../oci/errors.ts'
import type { AdminAnswer, AdminRequest } from './admin.ts'

export type Administer = (request: AdminRequest, progress: (counts: Counts) => void) => Promise<AdminAnswer>
type Handle = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>

export const socketPath = (storage_path: string) => join(storage_path, 'admin.sock')

/** Called under the storage's lock: an existing socket is a leftover. @returns how to close it */
export async function listenForAdmin(
  storage_path: string,
  { administer, handle }: { administer: Administer; handle: Handle },
  log: RegistryLog,
): Promise<() => Promise<void>> {
  const path = socketPath(storage_path)
  const answer: Administer = async (request, progress) => {
    try {
      return await administer(request, progress)
    } catch (error) {
      if (!(error instanceof RegistryError)) log.error('a command failed', { error: (error as Error).stack })
      throw error
    }
  }
  try {
    return await listenOnSocket(path, { answer, handle })
  } catch (error) {
    // The registry itself works all the same.
    log.warn('commands cannot reach this registry while it runs', { path, error: (error as Error).message })
    return async () => {}
  }
}

/** @returns undefined  no registry runs on this folder. @throws RegistryError  what the registry says */
export async function askRunning(
  storage_path: string,
  asked: AdminRequest,
  progress: (counts: Counts) => void,
): Promise<AdminAnswer | undefined> {
  const reply = await askSocket<AdminAnswer, Counts>(socketPath(storage_path), asked, progress)
  if (reply === 'nobody') return undefined
  if ('answer' in reply) return reply.answer
  if ('refused' in reply) throw new RegistryError(reply.refused)
  throw new RegistryError(`The registry of ${storage_path} cannot be asked: ${reply.broken.message}.`, {
    cause: reply.broken,
  })
}
