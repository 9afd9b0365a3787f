/** /v1/portgroups: there are none yet, and the lists are as true as they are short. */
import { servedSince } from '../not-served.ts'
import type { App } from '../parts.ts'

export function addPortgroups(app: App): void {
  for (const path of ['/v1/portgroups', '/v1/portgroups/detail']) {
    app.get(path, (call) => {
      servedSince(call, 23)
      return call.json({ portgroups: [] })
    })
  }
}
