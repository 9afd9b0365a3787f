/** The row of /v1/runbooks, and the traits of one. How one is used: node/runbook.ts. */
import { z } from 'zod'
import { InvalidParameterValue } from '../../errors.ts'
import type { Runbook } from '../../records/kinds/runbook.ts'
import { readBody, readJson } from '../body.ts'
import { type Fields, RECORD_FIELDS, switchField } from '../fields.ts'
import { givenValues, type Patch } from '../json-patch.ts'
import { servedSince } from '../not-served.ts'
import type { ApiParts, App, Call } from '../parts.ts'
import { findRecord, type Resource } from '../resource.ts'
import { anyMarker, flag, ident, limitedText, list, parse } from '../schema.ts'
import { secretTable } from './node/kept-secrets.ts'
import { TRAITS_SINCE } from './node/runbook.ts'
import { trait } from './node/traits.ts'
import { checkedSteps, place, STEP, stepArgs, stepsField } from './step-fields.ts'

const SINCE = 92

/** @source Ironic api/controllers/v1/runbook.py RUNBOOK_SCHEMA_V112 */
const FIELDS: Fields<Runbook> = {
  ...RECORD_FIELDS,
  name: { write: ident },
  description: { since: TRAITS_SINCE, write: limitedText(255).nullable() },
  disable_ramdisk: switchField(false),
  extra: secretTable,
  owner: { write: limitedText(255).nullable() },
  public: switchField(false),
  steps: stepsField(z.strictObject({ ...STEP, args: stepArgs.default({}), order: place }, 'expected an object')),
  traits: { since: TRAITS_SINCE, sortable: false },
}

export const runbookResource = ({ store }: ApiParts): Resource<Runbook> => ({
  refusedBefore: { what: 'runbooks', allow: ['GET'] },
  ...{ name: 'runbooks', noun: 'Runbook', since: SINCE, named: 0, records: store.runbooks },
  ...{ fields: FIELDS, defaults: ['uuid', 'name'], filters: {}, marker: anyMarker },
  create: {
    required: ['name', 'steps'],
    draft(given, { minor }) {
      if (minor < TRAITS_SINCE) parse(trait, given.name, 'runbook name')
      return checkedSteps(given)
    },
  },
  patch: {
    checkRecord: checkOwner,
    change: (_runbook, fields, _asked, patch) => ({
      // Who says whether it is for all says that it is nobody's.
      ...(givenValues(patch, '/public').length > 0 && givenValues(patch, '/owner').length === 0 ? { owner: null } : {}),
      ...checkedSteps(fields),
    }),
  },
})

/** @source Ironic RunbooksController.patch */
function checkOwner(runbook: Runbook, patch: Patch): void {
  const [owner] = givenValues(patch, '/owner')
  const [isPublic = runbook.public] = givenValues(patch, '/public')
  if (!owner || flag.safeParse(isPublic).data !== true) return
  throw new InvalidParameterValue(
    "Couldn't apply patch '/owner'. Reason: There cannot be an owner for a public runbook",
  )
}

const TRAITS_BODY = z.strictObject({ traits: list(trait) })
const PATH = '/v1/runbooks/:runbook/traits'

export function addRunbookTraits(app: App, { store, config }: ApiParts): void {
  const limit = config.api.max_json_body_size
  const runbookOf = (call: Call): Runbook => {
    servedSince(call, TRAITS_SINCE)
    const row = { noun: 'Runbook', named: 0, records: store.runbooks }
    return findRecord(row, call.req.param('runbook') ?? '', call.get('minor'))
  }
  const change = async (call: Call, to: (traits: readonly string[]) => readonly string[]) => {
    await store.runbooks.update(runbookOf(call).uuid, ({ traits }) => ({ traits: [...new Set(to(traits))] }))
    return call.body(null, 204)
  }
  app.get(PATH, (call) => call.json({ traits: runbookOf(call).traits }))
  app.put(PATH, async (call) => {
    runbookOf(call)
    const { traits } = await readBody(call, limit, 'traits', TRAITS_BODY)
    return change(call, () => traits)
  })
  app.put(`${PATH}/:trait`, async (call) => {
    runbookOf(call)
    const added = parse(trait, call.req.param('trait'), 'trait')
    if (Object.keys((await readJson(call, limit)) ?? {}).length > 0) {
      throw new InvalidParameterValue('No body should be provided when adding a trait')
    }
    call.header('location', `${call.get('base')}${call.req.path}`)
    return change(call, (traits) => [...traits, added])
  })
  app.delete(PATH, (call) => change(call, () => []))
  app.delete(`${PATH}/:trait`, (call) => {
    const removed = call.req.param('trait')
    return change(call, (traits) => traits.filter((name) => name !== removed))
  })
}
