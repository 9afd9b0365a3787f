/** /v1/nodes/{node}/traits. */
import { z } from 'zod'
import { InvalidParameterValue, MethodNotAllowed, NotFound } from '../../../errors.ts'
import type { Node } from '../../../records/kinds/node.ts'
import { readBody, readJson } from '../../body.ts'
import { requireMinor } from '../../microversions.ts'
import { servedSince } from '../../not-served.ts'
import type { ApiParts, App, Call } from '../../parts.ts'
import { limitedText, list, parse } from '../../schema.ts'
import { STANDARD_TRAITS } from '../standard-traits.ts'
import { nodeOf } from './names.ts'

const SINCE = 37
/** @source Ironic db MAX_TRAITS_PER_NODE */
const TRAITS_LIMIT = 50
const CUSTOM = /^CUSTOM_[A-Z0-9_]+$/
/** The name of a trait; deploy templates and runbooks bear such a name, too. @source Ironic TRAITS_SCHEMA */
export const trait = limitedText(255).refine(
  (name) => CUSTOM.test(name) || STANDARD_TRAITS.has(name),
  'expected a standard trait, or CUSTOM_ and upper case letters, digits, underscores',
)
const TRAITS_BODY = z.strictObject({ traits: list(trait) })

export function addTraits(app: App, parts: ApiParts): void {
  const limit = parts.config.api.max_json_body_size
  app.get('/v1/nodes/:node/traits', (call) => {
    requireMinor(call.get('minor'), SINCE)
    return call.json({ traits: nodeOf(call, parts).traits })
  })
  app.put('/v1/nodes/:node/traits', async (call) => {
    checkSet(call)
    const { traits } = await readBody(call, limit, 'traits', TRAITS_BODY)
    return change(call, parts, () => traits)
  })
  app.put('/v1/nodes/:node/traits/:trait', async (call) => {
    checkSet(call)
    const added = parse(trait, call.req.param('trait'), 'trait')
    if (Object.keys((await readJson(call, limit)) ?? {}).length > 0) {
      throw new InvalidParameterValue('No body should be provided when adding a trait')
    }
    call.header('location', `${call.get('base')}${call.req.path}`)
    return change(call, parts, (traits) => [...traits, added])
  })
  app.delete('/v1/nodes/:node/traits', (call) => {
    servedSince(call, SINCE)
    return change(call, parts, () => [])
  })
  app.delete('/v1/nodes/:node/traits/:trait', (call) => {
    servedSince(call, SINCE)
    const removed = call.req.param('trait')
    return change(call, parts, (traits, { uuid }) => {
      if (!traits.includes(removed)) throw new NotFound(`Node ${uuid} doesn't have a trait '${removed.slice(0, 255)}'`)
      return traits.filter((name) => name !== removed)
    })
  })
}

/** @throws MethodNotAllowed  as of a path that is none: what there was of a node then was read alone */
function checkSet(call: Call): void {
  if (call.get('minor') >= SINCE) return
  throw new MethodNotAllowed('Traits of nodes came with API version 1.37.', ['GET', 'HEAD', 'DELETE'])
}

type Change = (traits: readonly string[], node: Node) => readonly string[]

async function change(call: Call, parts: ApiParts, to: Change): Promise<Response> {
  const { uuid } = nodeOf(call, parts)
  await parts.conductor.withNode(uuid, 'node traits', () =>
    parts.store.nodes.update(uuid, (node) => ({ traits: checked(to(node.traits, node)) })),
  )
  return call.body(null, 204)
}

function checked(traits: readonly string[]): readonly string[] {
  const each = [...new Set(traits)].sort()
  if (each.length > TRAITS_LIMIT) {
    throw new InvalidParameterValue(
      `Could not modify traits for node: ${each.length} exceed the maximum of ${TRAITS_LIMIT}.`,
    )
  }
  return each
}
