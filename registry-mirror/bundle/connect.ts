/**
 * Connects to the registry that a bundle is made of or taken into: the running one of this configuration, or else its
 * folder, opened here meanwhile.
 */
import { rmSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createServer } from '@appliance/ground/http'
import { socketPath } from '../admin/admin-socket.ts'
import type { RegistryConfig, RegistryLog } from '../config/config.ts'
import { handle } from '../http/handle.ts'
import { Buffers } from '../http/send-blob.ts'
import { localContent } from '../storage/content.ts'
import { StorageInUse } from '../storage/disk/lock.ts'
import { checkOwner } from '../storage/disk/owner.ts'
import { openStorage, type Storage } from '../storage/storage.ts'
import { RegistryClient } from './client.ts'
import { BundleError } from './format.ts'

/**
 * Both go through HTTP, so that one client reads and writes either. A folder that is opened here has no upstreams and
 * no rules of access.
 * @throws RegistryError  the folder cannot be used
 */
export async function withRegistry<T>(
  config: RegistryConfig,
  log: RegistryLog,
  act: (client: RegistryClient) => Promise<T>,
): Promise<T> {
  // By its owner's socket: no credentials, no certificate, and repositories of upstreams can be filled, too.
  const owner = new RegistryClient({ socketPath: socketPath(config.storage_path) })
  if (await owner.isThere()) return act(owner)
  await checkOwner(config.storage_path)
  let storage: Storage
  try {
    storage = await openStorage(config)
  } catch (error) {
    if (!(error instanceof StorageInUse)) throw error
    return act(asClient(config, error))
  }
  try {
    const served = { storage, content: localContent(storage), buffers: new Buffers(), log, onBytes: () => {} }
    return await onSocket((request, response) => void handle(request, response, served), act)
  } finally {
    await storage.state.close()
    storage.release()
  }
}

/** A registry runs, but its owner's socket cannot be reached. */
function asClient({ host_ip, port }: RegistryConfig, inUse: StorageInUse): RegistryClient {
  if (port === 0)
    throw new BundleError(`${inUse.message} Its port is not known ([registry] port is 0).`, { cause: inUse })
  return new RegistryClient({ host: host_ip === '0.0.0.0' ? '127.0.0.1' : host_ip === '::' ? '::1' : host_ip, port })
}

/** Nobody else can reach it: the folder of the socket is of this user alone. */
async function onSocket<T>(listener: RequestListener, act: (client: RegistryClient) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'rackstrap-bundle-'))
  // Whoever ends the process in the middle leaves no folder behind.
  const sweep = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', sweep)
  const socketPath = join(folder, 'registry')
  const server = createServer({ requestTimeout: 0 }, listener)
  try {
    await chmod(folder, 0o700)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(socketPath, resolve)
    })
    return await act(new RegistryClient({ socketPath }))
  } finally {
    server.close()
    server.closeAllConnections()
    await rm(folder, { recursive: true, force: true })
    process.off('exit', sweep)
  }
}
