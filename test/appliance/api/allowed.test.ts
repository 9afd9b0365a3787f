/** A wrong method on a path that is there is 405; a path that is none is 404. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { enrolled, openRig } from './rig.ts'

describe('a method that a path does not have', () => {
  const rows = [
    ['PUT', '/v1/nodes', 'GET, HEAD, POST'],
    ['POST', '/v1/nodes/NODE', 'GET, HEAD, PATCH, DELETE'],
    ['DELETE', '/v1/nodes/NODE/states', 'GET, HEAD'],
    ['GET', '/v1/nodes/NODE/states/provision', 'PUT'],
    ['POST', '/v1/nodes/NODE/management/boot_device', 'GET, HEAD, PUT'],
    ['PATCH', '/v1/drivers/ipmi', 'GET, HEAD'],
    ['DELETE', '/v1/lookup', 'GET, HEAD'],
    ['POST', '/', 'GET, HEAD'],
    ['POST', '/nodes/NODE/states/', 'GET, HEAD'],
  ] as const
  it('is 405, and the answer says which there are', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask)

    for (const [method, path, allow] of rows) {
      const { status, headers, fault } = await ask(method, path.replace('NODE', uuid))

      assert.deepEqual([status, headers.get('allow')], [405, allow], `${method} ${path}`)
      assert.equal(fault, `The method ${method} is not allowed for this resource.`)
    }
  })

  it('is 405 on a path that only leads to others, whatever the method', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask)

    for (const path of [`/v1/nodes/${uuid}/management`, '/v1/drivers/ipmi/raid']) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const { status, headers, fault } = await ask(method, path)

        assert.deepEqual([status, headers.get('allow')], [405, ''], `${method} ${path}`)
        assert.equal(fault, `The method ${method} is not allowed for this resource.`)
      }
    }
  })

  it('is 404 on a path that is none', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask)

    for (const path of ['/v1/boats', `/v1/nodes/${uuid}/boats`, `/v1/nodes/${uuid}/states/power/off`]) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const { status, headers, fault } = await ask(method, path)

        assert.deepEqual([status, headers.get('allow')], [404, null])
        assert.equal(fault, `${method} ${path} could not be found in API version 1.115.`)
      }
    }
  })
})
