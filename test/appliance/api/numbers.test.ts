/** Numbers of a request through everything that keeps, tells or uses them: not a digit is lost. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { nodeForPlugin } from '../../../appliance/conductor/parts/parts.ts'
import { nodeForAgent } from '../../../appliance/conductor/task/agent-words.ts'
import { ipmiAccessOf } from '../../../appliance/hardware/ipmi/access.ts'
import { openAt } from '../records/state-folder.ts'
import { openRig } from './rig.ts'

const NUMBERS =
  '{"int":12345678901234567890,"float":2.0,"list":[1E5,-0,1e400,0.10],"deep":{"a":{"b":9007199254740993}}}'
const PASSWORD = '987654321098765432'

describe('numbers of a node', () => {
  it('come back as they went in: at creation, by a patch, in lists', async (t) => {
    const { ask } = await openRig(t)

    const created = await ask('POST', '/v1/nodes', `{"driver":"ipmi","extra":${NUMBERS},"properties":{"cpus":4.0}}`)
    const path = `/v1/nodes/${created.body.uuid}`
    const patch = `[{"op":"add","path":"/instance_info/a","value":${NUMBERS}},{"op":"replace","path":"/extra/list/0","value":7.0}]`
    const patched = await ask('PATCH', path, patch)
    const read = await ask('GET', path)
    const list = await ask('GET', '/v1/nodes/detail')

    assert.equal(created.status, 201, created.text)
    assert.ok(created.text.includes(`"extra":${NUMBERS}`), created.text)
    for (const { text } of [patched, read, list]) {
      assert.ok(text.includes(`"instance_info":{"a":${NUMBERS}}`), text)
      assert.ok(text.includes(`"extra":${NUMBERS.replace('[1E5', '[7.0')}`), text)
      assert.ok(text.includes('"properties":{"cpus":4.0}'), text)
    }
  })

  it('are on the disk as they came in, in documents and in the journal, also inside of secrets', async (t) => {
    const { ask, store, config } = await openRig(t)
    const extra = `"extra":${NUMBERS}`
    const body = `{"driver":"ipmi",${extra},"driver_info":{"ipmi_password":${PASSWORD},"secret_parts":[2.0,${PASSWORD}0]}}`
    const { body: created } = await ask('POST', '/v1/nodes', body)
    const uuid = String(created.uuid)
    const { state_path } = config.DEFAULT

    await store.close()
    const document = readFileSync(join(state_path, `nodes/${uuid}.json`), 'utf8')
    const again = await openAt(t, state_path)

    assert.ok(document.includes(extra), document)
    assert.ok(!document.includes(PASSWORD))
    assert.equal(
      JSON.stringify(again.nodes.get(uuid)?.driver_info),
      `{"ipmi_password":${PASSWORD},"secret_parts":[2.0,${PASSWORD}0]}`,
    )
  })

  it('are texts to a BMC, digit by digit', async (t) => {
    const { ask, store } = await openRig(t)
    const info = `{"ipmi_address":"192.0.2.1","ipmi_username":1234567890123456,"ipmi_password":${PASSWORD}99,"ipmi_protocol_version":2.0}`
    const { body } = await ask('POST', '/v1/nodes', `{"driver":"ipmi","driver_info":${info}}`)

    const { username, password, args } = ipmiAccessOf(store.nodes.find(String(body.uuid)))

    assert.equal(username, '1234567890123456')
    assert.equal(password, `${PASSWORD}99`)
    assert.equal(args[1], 'lanplus')
  })

  it('are handed to an agent as they are, and to a plugin as plain ones where those hold the value', async (t) => {
    const { ask, store } = await openRig(t)
    const { body } = await ask('POST', '/v1/nodes', `{"driver":"ipmi","instance_info":{"a":${NUMBERS}}}`)
    const node = store.nodes.find(String(body.uuid))

    const forAgent = JSON.stringify(nodeForAgent(node))
    const { a } = nodeForPlugin(node).instance_info as { a: { float: unknown; int: unknown } }

    assert.ok(forAgent.includes(`"instance_info":{"a":${NUMBERS}}`), forAgent)
    assert.equal(a.float, 2)
    assert.equal(String(a.int), '12345678901234567890')
  })

  it('survive a patch that writes back what was read, masks and all', async (t) => {
    const { ask, store } = await openRig(t)
    const info = `{"ipmi_password":${PASSWORD},"port":${PASSWORD}}`
    const { body } = await ask('POST', '/v1/nodes', `{"driver":"ipmi","driver_info":${info}}`)
    const path = `/v1/nodes/${body.uuid}`
    const { text } = await ask('GET', `${path}?fields=driver_info`)
    const shown = /"driver_info":(\{[^}]*\})/.exec(text)?.[1]

    const { status } = await ask('PATCH', path, `[{"op":"replace","path":"/driver_info","value":${shown}}]`)

    assert.equal(shown, `{"ipmi_password":"******","port":${PASSWORD}}`)
    assert.equal(status, 200)
    assert.equal(JSON.stringify(store.nodes.find(String(body.uuid)).driver_info), info)
  })

  it('are whole numbers, flags and no objects wherever a field wants those', async (t) => {
    const { ask } = await openRig(t)
    const path = `/v1/nodes/${(await ask('POST', '/v1/nodes', '{"driver":"fake-hardware"}')).body.uuid}`
    const put = (of: string, body: string) => ask('PUT', `${path}/states/${of}`, body)

    assert.equal((await put('power', '{"target":"power on","timeout":60.0}')).status, 202)
    assert.equal((await ask('PATCH', path, '[{"op":"add","path":"/maintenance","value":1.0}]')).status, 200)
    const wrong: [string, string, string][] = [
      ['/name', '12345678901234567890', 'it is 12345678901234567890: expected a string'],
      ['/extra', '2.0', 'it is 2.0: expected an object'],
      ['/extra', '12345678901234567890', 'it is 12345678901234567890: expected an object'],
    ]
    for (const [field, value, reason] of wrong) {
      const { status, fault } = await ask('PATCH', path, `[{"op":"add","path":"${field}","value":${value}}]`)
      assert.equal(status, 400)
      assert.equal(fault, `Schema error for patch of ${field.slice(1)}: ${reason}`)
    }
    assert.equal((await ask('POST', '/v1/nodes', '2.0')).fault, 'Schema error for node: it is 2: expected an object')
    assert.equal((await put('provision', '{"target":"active","configdrive":12345678901234567890}')).status, 400)
    assert.equal((await ask('PATCH', path, '[{"op":"add","path":"/extra/a/b","value":1}]')).status, 400)
  })

  it('nested so deeply that no reader can walk them are a 400, and so are bytes that are no UTF-8', async (t) => {
    const { app, ask } = await openRig(t)

    const deep = await ask('POST', '/v1/nodes', `${'['.repeat(100_000)}2.0${']'.repeat(100_000)}`)
    const bytes = Buffer.from('{"driver":"fake-hardware","extra":{"a":"\xff"}}', 'latin1')
    const odd = await app.request('http://api.test:6385/v1/nodes', { method: 'POST', body: bytes })

    assert.equal(deep.status, 400)
    assert.equal(deep.fault, 'Request body JSON is nested too deeply (limit: 25 levels).')
    assert.equal(odd.status, 400)
    assert.match(await odd.text(), /The request body is not valid JSON: it is not encoded as UTF-8\./)
  })
})

describe('numbers of a port', () => {
  it('come back as they went in, after a start too', async (t) => {
    const { ask, store, config } = await openRig(t)
    const { body } = await ask('POST', '/v1/nodes', '{"driver":"fake-hardware"}')
    const given = `{"node_uuid":"${body.uuid}","address":"52:54:00:12:34:56","extra":${NUMBERS}}`

    const { text, body: port } = await ask('POST', '/v1/ports', given)
    await store.close()
    const again = await openAt(t, config.DEFAULT.state_path)

    assert.ok(text.includes(`"extra":${NUMBERS}`), text)
    assert.equal(JSON.stringify(again.ports.get(String(port.uuid))?.extra), NUMBERS)
  })
})
