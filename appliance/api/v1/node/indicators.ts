/** /v1/nodes/{node}/management/indicators: the lamps of a machine. One is named `led@system`. */
import { z } from 'zod'
import { InvalidParameterValue } from '../../../errors.ts'
import { readArguments } from '../../body.ts'
import type { ApiParts, App, Call } from '../../parts.ts'
import { links } from '../../present.ts'
import { text } from '../../schema.ts'
import { nodeOf } from './names.ts'

const BODY = z.strictObject({ state: text })

export function addIndicators(app: App, parts: ApiParts): void {
  const { conductor, config } = parts
  const path = '/v1/nodes/:node/management/indicators'
  app.get(path, async (call) => {
    const indicators = await conductor.management.indicators(nodeOf(call, parts).uuid)
    const node = call.req.param('node')
    const shown = Object.entries(indicators).flatMap(([component, named]) =>
      Object.entries(named).map(([id, { readonly, states }]) => {
        const name = `${id}@${component}`
        const at = `nodes/${encodeURIComponent(node)}/management/indicators/${encodeURIComponent(name)}`
        return { name, component, readonly, states, links: links(call.get('base'), at) }
      }),
    )
    return call.json({ indicators: shown })
  })
  app.get(`${path}/:indicator`, async (call) => {
    const { component, name } = named(call)
    const { uuid } = nodeOf(call, parts)
    return call.json({ state: await conductor.management.indicatorState(uuid, component, name) })
  })
  app.put(`${path}/:indicator`, async (call) => {
    const { uuid } = nodeOf(call, parts)
    const { state } = await readArguments(call, config.api.max_json_body_size, 'indicator', BODY)
    await conductor.management.setIndicatorState(uuid, named(call), state)
    return call.body(null, 204)
  })
}

/** @throws InvalidParameterValue */
function named(call: Call): { component: string; name: string } {
  const indicator = call.req.param('indicator') ?? ''
  const at = indicator.indexOf('@')
  if (at < 0) throw new InvalidParameterValue(`Malformed indicator name "${indicator.slice(0, 100)}"`)
  return { name: indicator.slice(0, at), component: indicator.slice(at + 1) }
}
