/** GET /v1/shards: how many nodes each shard has. */
import { servedSince } from '../not-served.ts'
import type { ApiParts, App } from '../parts.ts'

const SINCE = 82

export function addShards(app: App, { store }: ApiParts): void {
  app.get('/v1/shards', (call) => {
    servedSince(call, SINCE)
    const counts = new Map<string, number>()
    // Ironic counts nodes of no shard under this name, too (db get_shard_list).
    for (const { shard } of store.nodes.all()) counts.set(shard ?? 'None', (counts.get(shard ?? 'None') ?? 0) + 1)
    const shards = [...counts].map(([name, count]) => ({ name, count })).sort((a, b) => b.count - a.count)
    return call.json({ shards })
  })
}
