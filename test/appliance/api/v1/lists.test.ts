/** What every list checks: limit, marker, order, fields, and that each is given once. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openRig } from '../rig.ts'

const UUID = '5f2c0d9e-6f0b-4c43-9df3-6f1f7f4b8f10'
/** Path, and fields that no list is sorted by: tables, lists, and what other records are named by. */
const LISTS: readonly (readonly [path: string, unsorted: string])[] = [
  ['nodes', 'properties driver_info extra instance_info driver_internal_info clean_step deploy_step service_step'],
  ['nodes', 'raid_config target_raid_config traits network_data chassis_uuid allocation_uuid conductor'],
  ['chassis', 'extra'],
  ['ports', 'extra internal_info local_link_connection node_uuid portgroup_uuid'],
  ['portgroups', 'extra internal_info properties node_uuid'],
  ['volume/connectors', 'extra node_uuid'],
  ['volume/targets', 'extra properties node_uuid'],
  ['allocations', 'extra candidate_nodes traits node_uuid'],
  ['deploy_templates', 'extra steps'],
]
const REFUSED: readonly (readonly [query: string, fault: RegExp, status?: number])[] = [
  ['limit=0', /^Limit must be positive$/],
  ['limit=-1', /^Limit must be positive$/],
  ['limit=1.5', /^Schema error for limit/],
  ['limit=', /^Schema error for limit/],
  ['limit=1&limit=2', /^Expected one value for limit, and found 2$/],
  ['sort_dir=up', /Acceptable values are 'asc' or 'desc'$/],
  ['sort_dir=ASC', /Acceptable values are 'asc' or 'desc'$/],
  ['sort_key=nothing', /^The sort_key value "nothing" is an invalid field for sorting$/],
  ['sort_key=uuid&sort_key=created_at', /^Expected one value for sort_key/],
  ['marker=a%20b', /^Schema error for marker/],
  [`marker=${UUID}`, /could not be found\.$/, 404],
  ['fields=nothing', /^Field nothing is not a valid field\.$/],
  ['detail=maybe', /^Schema error for detail/],
  ['detail=true&fields=uuid', /^Can not specify \?detail=True and fields in the same request\.$/],
  ['colour=red', /^Unexpected arguments: colour$/],
]

const MARKERS: readonly (readonly [path: string, marker: string, status: number])[] = [
  ...LISTS.map(([path]) => [path, 'n1', path === 'deploy_templates' ? 404 : 400] as const),
  ...([
    ['runbooks', 'n1', 404],
    ['inspection_rules', 'n1', 404],
    ['inspection_rules', 'a%20b', 404],
  ] as const),
  ...([
    ['deploy_templates', '', 400],
    ['runbooks', '', 400],
    ['inspection_rules', '', 200],
    ['nodes', '', 400],
  ] as const),
]

describe('a list of records', () => {
  it('is asked for a marker that is no uuid, and says where it looked for it', async (t) => {
    const { ask } = await openRig(t)

    for (const [path, marker, expected] of MARKERS) {
      const { status, fault } = await ask('GET', `/v1/${path}?marker=${marker}`)

      assert.equal(status, expected, `${path} ${marker}`)
      if (status === 404) assert.match(fault, /^(Deploy template|Runbook|Rule) (n1|a b) could not be found\.$/)
      if (status === 400) assert.match(fault, /^Schema error for marker/)
    }
  })

  for (const path of new Set(LISTS.map(([path]) => path))) {
    it(`checks what is asked of it: ${path}`, async (t) => {
      const { ask } = await openRig(t)

      for (const [query, expected, status = 400] of REFUSED) {
        const { fault, status: found } = await ask('GET', `/v1/${path}?${query}`)

        assert.equal(found, status, query)
        assert.match(fault, expected)
      }
      for (const query of ['sort_key=', 'sort_key=uuid', 'sort_dir=desc', 'limit=99999', 'fields=links', 'fields='])
        assert.equal((await ask('GET', `/v1/${path}?${query}`)).status, 200, query)
    })
  }

  for (const [path, fields] of LISTS) {
    it(`is not sorted by tables and lists: ${path}, ${fields}`, async (t) => {
      const { ask } = await openRig(t)

      for (const field of fields.split(' ')) {
        const { status, fault } = await ask('GET', `/v1/${path}?sort_key=${field}`)

        const refusal = `The sort_key value "${field}" is an invalid field for sorting`
        assert.deepEqual([status, fault], [400, refusal])
      }
    })
  }
})
