/** Where a link of a BMC leads to: always to the BMC itself. */
import type { RedfishAccess } from './access.ts'
import { bmcOf, RedfishFailure } from './failure.ts'

const LONGEST_LINK = 2_000

/**
 * BMCs link by path, by relative path, and by whole addresses, with names of their own that nobody else knows. The path
 * is what counts.
 * @param from  what the link stood in; a path of its own begins at the service root
 * @throws RedfishFailure  it is no link
 */
export function here(access: RedfishAccess, link: string, from?: URL): URL {
  const base = from ?? new URL(access.root, access.origin)
  const found = link.length <= LONGEST_LINK && URL.canParse(link, base.href) ? new URL(link, base) : undefined
  if (!found || !/^https?:$/.test(found.protocol)) {
    throw new RedfishFailure(`${bmcOf(access)} links to "${link.slice(0, 100)}", which is no address of a resource.`)
  }
  // Not joined to the origin as text: a path may begin with two slashes.
  const place = new URL(access.origin)
  place.pathname = found.pathname
  place.search = found.search
  return place
}
