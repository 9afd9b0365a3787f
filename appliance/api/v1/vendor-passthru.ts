/** Methods of vendors, of a node and of a driver: /vendor_passthru/methods, and /vendor_passthru/{method}. */
import type { Conductor } from '../../conductor/conductor.ts'
import { InvalidParameterValue } from '../../errors.ts'
import { readJson } from '../body.ts'
import type { ApiParts, App, Call } from '../parts.ts'
import { dict, parse } from '../schema.ts'
import { nodeOf } from './node/names.ts'

const HTTP_METHODS = ['GET', 'POST', 'PUT', 'DELETE']
type Call_ = Parameters<Conductor['vendor']['call']>[1]
type Target = {
  path: string
  methods(call: Call): object
  pass(call: Call, asked: Call_): ReturnType<Conductor['vendor']['call']>
}

export function addVendorPassthru(app: App, parts: ApiParts): void {
  const { vendor } = parts.conductor
  const driverOf = (call: Call) => (call.req.param('driver') ?? '').slice(0, 255)
  const targets: readonly Target[] = [
    {
      path: '/v1/nodes/:node/vendor_passthru',
      methods: (call) => vendor.methods(nodeOf(call, parts).uuid),
      pass: (call, asked) => vendor.call(nodeOf(call, parts).uuid, asked),
    },
    {
      path: '/v1/drivers/:driver/vendor_passthru',
      methods: (call) => vendor.driverMethods(driverOf(call)),
      pass: (call, asked) => vendor.callDriver(driverOf(call), asked),
    },
  ]
  for (const { path, methods, pass } of targets) {
    app.get(`${path}/methods`, (call) => call.json(methods(call)))
    // Some clients name it in the path, some in the query.
    app.on(HTTP_METHODS, [path, `${path}/:method`], async (call) => {
      const { method: asked = '', ...query } = call.req.query()
      const method = call.req.param('method') ?? asked
      if (method === '') throw new InvalidParameterValue('Method not specified')
      const body = parse(dict, await readJson(call, parts.config.api.max_json_body_size), 'data')
      const answer = await pass(call, { method, http_method: call.req.method, args: { ...query, ...body } })
      return answer.async ? call.body(null, 202) : call.json(answer.result ?? null)
    })
  }
}
