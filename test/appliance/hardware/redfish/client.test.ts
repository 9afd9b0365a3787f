/** Sessions, tries and refusals, against a BMC that errs as those of several vendors do. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createReach } from '../../../../appliance/ground/reach.ts'
import { interfaceTask } from '../../../../appliance/plugin-testing/interface-task.ts'
import { type BmcRequest, RedfishBmc, ROOT, refused, SYSTEM } from '../../../rack/redfish-bmc.ts'
import { redfishRig } from './rig.ts'

describe('a client of Redfish', () => {
  const rig = redfishRig()

  describe('a session', () => {
    it('is opened once, and is used by every request after it', async () => {
      const { getPowerState } = rig.redfish()

      await Promise.all([getPowerState(interfaceTask(rig.node())), getPowerState(interfaceTask(rig.node()))])
      await getPowerState(interfaceTask(rig.node()))

      assert.equal(rig.bmc.sessions.size, 1)
      assert.equal(rig.bmc.requests.filter(({ method }) => method === 'POST').length, 1)
      assert.equal(rig.bmc.requests.filter(({ headers }) => headers.authorization !== undefined).length, 0)
    })

    it('that the BMC has forgotten is opened anew', async () => {
      const { getPowerState } = rig.redfish()
      await getPowerState(interfaceTask(rig.node()))
      rig.bmc.sessions.clear()

      assert.equal(await getPowerState(interfaceTask(rig.node())), 'power off')

      assert.equal(rig.bmc.sessions.size, 1)
    })

    it('that the BMC does not have is done without, by auth_type auto alone', async () => {
      rig.bmc.hasSessions = false

      assert.equal(await rig.redfish().getPowerState(interfaceTask(rig.node())), 'power off')
      await assert.rejects(rig.redfish().getPowerState(interfaceTask(rig.node({ redfish_auth_type: 'session' }))), {
        name: 'RedfishFailure',
        message: /answered POST of a session with HTTP 404: There are no sessions\.$/,
      })
    })

    it('is not asked for by auth_type basic, nor without a username', async () => {
      await rig.redfish().getPowerState(interfaceTask(rig.node({ redfish_auth_type: 'basic' })))
      await assert.rejects(rig.redfish().getPowerState(interfaceTask(rig.node({ redfish_username: '' }))), {
        message: `The BMC ${rig.bmc.url} of node ${rig.node().uuid} does not accept the password of nobody (no redfish_username). Set redfish_username and redfish_password in driver_info.`,
      })

      assert.deepEqual(
        rig.bmc.requests.filter(({ method }) => method !== 'GET'),
        [],
      )
    })

    it('is closed after each task where none are to be kept', async () => {
      await rig.redfish({ connection_cache_size: 0 }).getPowerState(interfaceTask(rig.node()))

      while (rig.bmc.sessions.size > 0) await new Promise(setImmediate)
    })
  })

  describe('the account', () => {
    it('that is wrong is told of in words, and no log has the password', async () => {
      await assert.rejects(rig.redfish().getPowerState(interfaceTask(rig.node({ redfish_password: 'Tr0ub4dor' }))), {
        message: /does not accept the password of user 'admin'\. Set redfish_username and redfish_password/,
        code: 502,
      })

      assert.doesNotMatch(rig.lines.join('\n'), /Tr0ub4dor/)
    })

    it('is taken to no other address, neither by a redirect nor by a link', async () => {
      await using other = await RedfishBmc.start()
      const isSystem = ({ path }: BmcRequest) => path === SYSTEM
      rig.bmc.behaviour = (request) =>
        isSystem(request) ? { status: 307, headers: { location: `${other.url}${SYSTEM}` } } : undefined

      await assert.rejects(rig.redfish().getPowerState(interfaceTask(rig.node())), {
        message: new RegExp(
          `redirects GET ${SYSTEM} to ${other.url}${SYSTEM}: no account is taken to another address\\. Set redfish_address`,
        ),
      })

      rig.bmc.behaviour = () => undefined
      rig.bmc.resources.set('/redfish/v1/Systems', { Members: [{ '@odata.id': `${other.url}${SYSTEM}` }] })
      assert.equal(await rig.redfish().getPowerState(interfaceTask(rig.node())), 'power off')
      assert.deepEqual(other.requests, [])
    })
  })

  describe('a BMC that is not well', () => {
    const failures = (answers: readonly Parameters<typeof refused>[], at = SYSTEM) => {
      const left = [...answers]
      rig.bmc.behaviour = ({ path }) => {
        const next = path === at ? left.shift() : undefined
        return next && refused(...next)
      }
    }

    it('is asked again while it starts', async () => {
      failures([
        [503, 'Base.1.8.ServiceTemporarilyUnavailable', 'Starting.'],
        [500, 'Base.1.8.InternalError', 'Oops.'],
      ])

      assert.equal(await rig.redfish().getPowerState(interfaceTask(rig.node())), 'power off')
    })

    it('is asked again for what was there before, and not for what never was', async () => {
      const { getPowerState } = rig.redfish()
      await getPowerState(interfaceTask(rig.node()))
      failures([[404, 'Base.1.8.ResourceMissingAtURI', 'For a moment.']])
      assert.equal(await getPowerState(interfaceTask(rig.node())), 'power off')

      await assert.rejects(getPowerState(interfaceTask(rig.node({ redfish_system_id: '/redfish/v1/Systems/9' }))), {
        message: `The BMC ${rig.bmc.url} of node ${rig.node().uuid} has no system /redfish/v1/Systems/9 (it has ${SYSTEM}). Correct redfish_system_id in driver_info.`,
      })
      assert.equal(rig.bmc.requests.filter(({ path }) => path.endsWith('/9')).length, 1)
    })

    it('is given up after connection_attempts, with what it said last', async () => {
      rig.bmc.behaviour = ({ path }) => (path === SYSTEM ? refused(503, 'Base.1.8.Busy', 'Still starting.') : undefined)

      await assert.rejects(rig.redfish({ connection_attempts: 3 }).getPowerState(interfaceTask(rig.node())), {
        message: /answered GET \/redfish\/v1\/Systems\/1 with HTTP 503: Still starting\.$/,
      })
      assert.equal(rig.bmc.requests.filter(({ path }) => path === SYSTEM).length, 3)
    })

    it('is not told twice to do something that it may have begun', async () => {
      rig.bmc.behaviour = ({ method, path }) =>
        method === 'POST' && path.endsWith('Reset') ? refused(500, 'Base.1.8.InternalError', 'Oops.') : undefined

      await assert.rejects(rig.redfish().setPowerState(interfaceTask(rig.node()), 'power on'), /HTTP 500: Oops/)
      assert.equal(rig.bmc.changes.length, 1)
    })

    it('is asked again for an answer that is empty, or no JSON', async () => {
      const answers = [{ status: 200 }, { status: 200, text: '<html>' }]
      rig.bmc.behaviour = ({ path }) => (path === SYSTEM ? answers.shift() : undefined)

      assert.equal(await rig.redfish().getPowerState(interfaceTask(rig.node())), 'power off')
    })

    it('that never answers holds nobody longer than read_timeout, and no other BMC', async () => {
      await using other = await RedfishBmc.start()
      rig.bmc.behaviour = ({ path }) => (path === SYSTEM ? 'hang' : undefined)
      const { getPowerState } = rig.redfish({ read_timeout: 1 })

      const stuck = getPowerState(interfaceTask(rig.node()))
      assert.equal(await getPowerState(interfaceTask(rig.node({ redfish_address: other.url }))), 'power off')
      await assert.rejects(stuck, { message: /took the request, and did not answer within 1 s\.$/ })
    })

    it('that answers without end is cut off', async () => {
      rig.bmc.behaviour = ({ path }) =>
        path === SYSTEM ? { status: 200, text: `{"a":"${'x'.repeat(17 * 1024 * 1024)}"}` } : undefined

      await assert.rejects(
        rig.redfish().getPowerState(interfaceTask(rig.node())),
        /answered more than 16777216 bytes\.$/,
      )
    })

    it('whose collection is a loop is told of', async () => {
      rig.bmc.resources.set('/redfish/v1/Systems', {
        Members: [],
        'Members@odata.nextLink': '/redfish/v1/Systems',
      })

      await assert.rejects(rig.redfish().getPowerState(interfaceTask(rig.node())), /lists more than .* 50 pages/)
    })

    it('redirects to itself three times at most', async () => {
      rig.bmc.behaviour = ({ path }) => (path === SYSTEM ? { status: 308, headers: { location: SYSTEM } } : undefined)

      await assert.rejects(rig.redfish().getPowerState(interfaceTask(rig.node())), /after 3 other redirects\.$/)
    })
  })

  describe('where nobody answers in Redfish', () => {
    it('the sentence says what was found, and what to look at', async () => {
      const gone = await RedfishBmc.start()
      const { url } = gone
      await gone[Symbol.asyncDispose]()
      const at = (redfish_address: string) =>
        rig.redfish({ connection_attempts: 1 }).getPowerState(interfaceTask(rig.node({ redfish_address })))

      await assert.rejects(at(url), {
        message: `The BMC ${url} of node ${rig.node().uuid} refuses the connection: the machine at that address is up, but no BMC listens there. Check redfish_address in driver_info, and that Redfish is enabled on the BMC.`,
      })
      await assert.rejects(at(rig.bmc.url.replace('http:', 'https:')), /and this box agree on no TLS/)
      await assert.rejects(at('http://rig.bmc.invalid'), /has no address: the name in driver_info\/redfish_address/)
    })

    it('an address of this box is not asked', async () => {
      const reach = createReach({ allowed: [], option: '[DEFAULT] reachable_networks' })

      await assert.rejects(rig.redfish({}, reach).getPowerState(interfaceTask(rig.node())), {
        message: `The BMC ${rig.bmc.url} of node ${rig.node().uuid} is not asked: 127.0.0.1 is a loopback address: this box connects there only when [DEFAULT] reachable_networks allows it.`,
      })
      assert.deepEqual(rig.bmc.requests, [])
    })
  })

  it('reads no root but the one that redfish_address names', async () => {
    rig.bmc.behaviour = ({ path }) => (path === ROOT ? refused(404, 'Base.1.8.None', 'Not here.') : undefined)
    rig.bmc.resources.set('/api/', { Systems: { '@odata.id': '/redfish/v1/Systems' } })

    const task = interfaceTask(rig.node({ redfish_address: `${rig.bmc.url}/api`, redfish_auth_type: 'basic' }))
    assert.equal(await rig.redfish().getPowerState(task), 'power off')
  })
})
