/** /v1/nodes/{node}/vifs: virtual interfaces. The noop network takes any and keeps none, as Ironic's does. */
import { z } from 'zod'
import { InvalidParameterValue } from '../../../errors.ts'
import { readBody } from '../../body.ts'
import { servedSince } from '../../not-served.ts'
import type { ApiParts, App, Call } from '../../parts.ts'
import { ident, parse } from '../../schema.ts'
import { nodeOf } from './names.ts'

const SINCE = 28
/** @source Ironic api/controllers/v1/node.py VIF_VALIDATOR */
const VIF_BODY = z.looseObject({ id: ident })

export function addVifs(app: App, parts: ApiParts): void {
  const found = (call: Call) => {
    servedSince(call, SINCE)
    return nodeOf(call, parts).uuid
  }
  app.get('/v1/nodes/:node/vifs', (call) => {
    found(call)
    return call.json({ vifs: [] })
  })
  app.post('/v1/nodes/:node/vifs', async (call) => {
    const uuid = found(call)
    const vif = await readBody(call, parts.config.api.max_json_body_size, 'vif', VIF_BODY)
    if (call.get('minor') >= 67 && 'port_uuid' in vif && 'portgroup_uuid' in vif) {
      throw new InvalidParameterValue('Cannot specify both port_uuid and portgroup_uuid')
    }
    await parts.conductor.withNode(uuid, 'attach vif', async () => {})
    return call.body(null, 204)
  })
  app.delete('/v1/nodes/:node/vifs/:vif', async (call) => {
    const uuid = found(call)
    parse(ident, call.req.param('vif'), 'vif_id')
    await parts.conductor.withNode(uuid, 'detach vif', async () => {})
    return call.body(null, 204)
  })
}
