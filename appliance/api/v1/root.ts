/** `/` and `/v1`: what clients discover before anything else. Lists only what is served. */
import { MAX_VERSION, MIN_VERSION } from '../microversions.ts'
import type { App } from '../parts.ts'

/** Collections by name, and the version that brought each. */
type Collections = Readonly<Record<string, number>>
/** Those that are no resources of the table. */
export const OTHERS: Collections = {
  drivers: 1,
  lookup: 22,
  heartbeat: 22,
  volume: 32,
  shards: 82,
  conductors: 49,
  events: 54,
}

const versionOf = (base: string) => ({
  id: 'v1',
  links: [{ href: `${base}/v1/`, rel: 'self' }],
  status: 'CURRENT',
  min_version: MIN_VERSION,
  version: MAX_VERSION,
})

export function addRoot(app: App, collections: Collections): void {
  app.get('/', (call) => {
    const version = versionOf(call.get('base'))
    return call.json({
      name: 'OpenStack Ironic API',
      description: "Rackstrap, an edge provisioning appliance that speaks Ironic's API.",
      default_version: version,
      versions: [version],
    })
  })
  app.get('/v1', (call) => {
    const base = call.get('base')
    const served = Object.entries(collections).filter(([, since]) => call.get('minor') >= since)
    const links = served.map(([name]) => [
      name,
      [
        { href: `${base}/v1/${name}/`, rel: 'self' },
        { href: `${base}/${name}/`, rel: 'bookmark' },
      ],
    ])
    return call.json({
      id: 'v1',
      links: [
        { href: `${base}/v1/`, rel: 'self' },
        {
          href: 'https://docs.openstack.org/ironic/latest/contributor/webapi.html',
          rel: 'describedby',
          type: 'text/html',
        },
      ],
      media_types: { base: 'application/json', type: 'application/vnd.openstack.ironic.v1+json' },
      version: versionOf(base),
      ...Object.fromEntries(links),
    })
  })
}
