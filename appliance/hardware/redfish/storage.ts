/** Controllers and drives of a system. */
import type { Bmc } from './bmc.ts'
import type { Resource } from './client.ts'
import { RedfishFailure } from './failure.ts'
import { linkAt, linksAt } from './members.ts'

const CONTROLLERS_LIMIT = 20
const DRIVES_LIMIT = 200
/** A BMC is small: its drives are asked for a few at a time. */
const AT_ONCE = 4

/** Its Storage resources; none where it has no such collection. */
export async function storageOf(bmc: Bmc, { body }: Resource): Promise<readonly Resource[]> {
  const link = linkAt(body, 'Storage')
  if (link === undefined) return []
  return getAll(bmc, (await bmc.members(link)).slice(0, CONTROLLERS_LIMIT))
}

export async function drivesOf(bmc: Bmc, system: Resource): Promise<readonly Resource[]> {
  return drivesAt(bmc, await storageOf(bmc, system))
}

/** Of these controllers. */
export function drivesAt(bmc: Bmc, storages: readonly Resource[]): Promise<readonly Resource[]> {
  const links = new Set(storages.flatMap(({ body }) => linksAt(body, 'Drives')))
  return getAll(bmc, [...links].slice(0, DRIVES_LIMIT))
}

/** In their order; links that lead nowhere are left out. @throws RedfishFailure  one that cannot be read otherwise */
export async function getAll(bmc: Bmc, links: readonly string[]): Promise<readonly Resource[]> {
  const found: (Resource | undefined)[] = []
  const getOne = (link: string) =>
    bmc.collect(link).catch((error) => {
      if (error instanceof RedfishFailure && error.status === 404) return undefined
      throw error
    })
  for (let at = 0; at < links.length; at += AT_ONCE) {
    found.push(...(await Promise.all(links.slice(at, at + AT_ONCE).map(getOne))))
  }
  return found.filter((each) => each !== undefined)
}
