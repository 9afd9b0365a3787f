/** What a path is told that this appliance, or this microversion, does not have. */
import { NotFound } from '../errors.ts'
import type { Call } from './parts.ts'

const PATH_LIMIT = 200

export const notServed = (call: Call): NotFound =>
  new NotFound(
    `${call.req.method} ${call.req.path.slice(0, PATH_LIMIT)} could not be found in API version 1.${call.get('minor')}.`,
  )

/** @throws NotFound  before the version that brought the path */
export function servedSince(call: Call, since: number): void {
  if (call.get('minor') < since) throw notServed(call)
}
