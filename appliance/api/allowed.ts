/** Which methods a path has, whatever was asked for: so that a wrong method is 405, and a path that is none 404. */
import { MethodNotAllowed } from '../errors.ts'
import { notServed } from './not-served.ts'
import type { App, Call } from './parts.ts'

/** @throws MethodNotAllowed, NotFound */
export function refuseUnrouted(app: App, call: Call): never {
  const allowed = methodsOf(app, call.req.path)
  const isThere = allowed.length > 0 || leadsOn(app, call.req.path)
  if (!isThere || allowed.includes(call.req.method)) throw notServed(call)
  throw new MethodNotAllowed(`The method ${call.req.method} is not allowed for this resource.`, allowed)
}

/** Called for what nobody answered alone: it walks over all routes. */
function methodsOf(app: App, path: string): string[] {
  const segments = path.split('/')
  // What stands for every method is no route, but what all requests go through.
  const routes = app.routes.filter(({ method, path: pattern }) => method !== 'ALL' && matches(pattern, segments))
  const methods = routes.map(({ method }) => method)
  return [...new Set(methods.includes('GET') ? ['GET', 'HEAD', ...methods] : methods)]
}

/** Whether a path is only the way to others, as /v1/nodes/{node}/management is: no method is allowed there. */
const leadsOn = (app: App, path: string): boolean =>
  app.routes.some(({ path: pattern }) => {
    const segments = path.split('/')
    const way = pattern.split('/').slice(0, segments.length)
    return way.length < pattern.split('/').length && way.at(-1) === segments.at(-1) && matches(way.join('/'), segments)
  })

function matches(pattern: string, segments: readonly string[]): boolean {
  const parts = pattern.split('/')
  return parts.length === segments.length && parts.every((part, at) => part.startsWith(':') || part === segments[at])
}
