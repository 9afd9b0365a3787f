/**
 * Requests of an operator to a registry, as JSON. The process that has opened the storage answers them (see
 * admin-socket.ts).
 */

import type { Counts, JobState } from '@appliance/ground/jobs'
import type { Maintenance } from '../gc/maintenance.ts'
import { parseTarget } from '../gc/pins.ts'
import { RegistryError } from '../oci/errors.ts'
import type { Storage } from '../storage/storage.ts'
import type { UpstreamStatus } from '../upstream/upstream.ts'
import { type Listed, listContent } from './list.ts'

export type AdminRequest =
  | { ask: 'status' }
  | { ask: 'list'; under?: string }
  | { ask: 'pin' | 'unpin'; target: string }
  | { ask: 'release'; owner: string }
  | { ask: 'run'; job: string; options?: Readonly<Record<string, number>> }

export type Status = {
  storage_path: string
  repositories: number
  used_bytes: number
  /** 0: none. */
  quota_bytes: number
  uploads: number
  /** Time of pinning, by pin. */
  pins: Readonly<Record<string, string>>
  /** By owner. */
  holds: Readonly<Record<string, readonly { repository: string; digest: string; tag?: string }[]>>
  jobs: readonly JobState[]
  upstreams: readonly UpstreamStatus[]
}

export type AdminAnswer = { status: Status } | { list: readonly Listed[] } | { changed: boolean } | { counts: Counts }

export type Administered = {
  storage: Storage
  maintenance: Maintenance
  upstreams: () => readonly UpstreamStatus[]
  /** @returns whether the owner had holds */
  release(owner: string): Promise<boolean>
}
const MIB = 1024 * 1024

/** @throws RegistryError  the request cannot be done, in the operator's words */
export async function administer(
  administered: Administered,
  request: AdminRequest,
  progress: (counts: Counts) => void,
): Promise<AdminAnswer> {
  const { storage, maintenance } = administered
  switch (request.ask) {
    case 'status':
      return { status: await statusOf(administered) }
    case 'list':
      return { list: await listContent(storage, request.under) }
    case 'pin':
    case 'unpin':
      parseTarget(request.target)
      return { changed: await storage.state.pin(request.target, request.ask === 'pin') }
    case 'release':
      return { changed: await administered.release(request.owner) }
    case 'run': {
      const { jobs } = maintenance
      if (!jobs.names.includes(request.job))
        throw new RegistryError(`There is no job '${request.job}': expected one of ${jobs.names.join(', ')}.`)
      return { counts: await jobs.run(request.job, request.options, progress) }
    }
  }
}

async function statusOf({ storage, maintenance, upstreams }: Administered): Promise<Status> {
  let repositories = 0
  for await (const _ of storage.repositories.names()) repositories++
  return {
    storage_path: storage.disk.root,
    repositories,
    used_bytes: await maintenance.usedBytes(0),
    quota_bytes: maintenance.config.quota * MIB,
    uploads: storage.uploads.underWay,
    pins: storage.state.pins,
    holds: storage.state.holds,
    jobs: maintenance.jobs.states,
    upstreams: upstreams(),
  }
}
