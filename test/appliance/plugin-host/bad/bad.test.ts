/** A family of bad plugins in one appliance: each fails its own node in a sentence that names it, and nothing else. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { type Child, type LogLine, startChild } from '../../../bench/child.ts'
import { CHECKOUT } from '../../../rack/cache.ts'
import { layPlugin, pluginPath } from '../plugin-folder.ts'
import { pluginCode, ROWS } from './table.ts'

const GOOD = 'good-one'
const PLUGINS = [GOOD, ...new Set(ROWS.map(({ plugin }) => plugin))]

const faultOf = ({ error_message }: Record<string, unknown>): string => JSON.parse(String(error_message)).faultstring

type Answer = { status: number; body: Record<string, unknown> }

describe('a bad plugin', () => {
  let child: Child
  let api: string
  const undo: (() => void)[] = []

  before(async () => {
    const path = pluginPath({ after: (call: () => void) => undo.push(call) } as unknown as TestContext)
    for (const plugin of PLUGINS) layPlugin(join(path, 'all'), plugin, { code: pluginCode(plugin) })
    const config = join(path, 'rackstrap.conf')
    writeFileSync(
      config,
      `[DEFAULT]
state_path = ${path}/state
my_ip = 127.0.0.1
reachable_networks = 127.0.0.1
plugin_path = ${path}/all
enabled_hardware_types = fake-hardware
enabled_deploy_interfaces = ${PLUGINS.join(',')}
[conductor]
automated_clean = false
deploy_callback_timeout = 10
[api]
host_ip = 127.0.0.1
port = 0
[deploy]
http_url = http://127.0.0.1:0
`,
    )
    child = startChild([join(CHECKOUT, 'appliance/cli.ts'), 'serve', '--config', config])
    api = String((await child.told('listening')).api)
  })
  after(async () => {
    await child[Symbol.asyncDispose]()
    for (const call of undo) call()
  })

  async function ask(method: string, path: string, body?: unknown, version = '1.72'): Promise<Answer> {
    const response = await fetch(`${api}/v1/${path}`, {
      method,
      headers: { 'content-type': 'application/json', 'x-openstack-ironic-api-version': version },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? {} : JSON.parse(text) }
  }

  /** @returns what became of the node: its state and last_error, or the refusal of the deploy */
  async function deploy(name: string, plugin: string): Promise<{ state: string; told: string }> {
    // Before 1.11 a node is available at once.
    const { body } = await ask('POST', 'nodes', { name, driver: 'fake-hardware', extra: { fault: name } }, '1.10')
    const node = String(body.uuid)
    await ask('PATCH', `nodes/${node}`, [{ op: 'replace', path: '/deploy_interface', value: plugin }])
    const asked = await ask('PUT', `nodes/${node}/states/provision`, { target: 'active' })
    if (asked.status >= 400) return { state: 'refused', told: faultOf(asked.body) }
    const ofNode = (line: LogLine) => line.node === node
    const { message, word } = await Promise.race([
      child.told('waits', ofNode),
      child.told('provision state changed', (line) => ofNode(line) && line.to === 'deploy failed'),
    ])
    if (message === 'waits') {
      await child.told('provision state changed', (line) => ofNode(line) && line.to === 'wait call-back')
      await ask('POST', `heartbeat/${node}`, { callback_url: '', agent_token: word, agent_status: 'end' })
    }
    const ends = ['active', 'deploy failed']
    const { to } = await child.told('provision state changed', (line) => ofNode(line) && ends.includes(String(line.to)))
    const found = await ask('GET', `nodes/${node}`)
    const cleaned = child.lines.find((line) => line.message === 'plugin did not clean up' && ofNode(line))
    return { state: String(to), told: String(found.body.last_error ?? cleaned?.reason) }
  }

  const outcomes = new Map<string, Promise<{ state: string; told: string }>>()

  it('leaves the nodes of others to their deploys, while all of them are deployed at once', async () => {
    for (const { name, plugin } of ROWS) outcomes.set(name, deploy(name, plugin))

    const { state } = await deploy('other', GOOD)
    await Promise.all(outcomes.values())

    assert.equal(state, 'active')
    assert.equal((await fetch(`${api}/healthz`)).status, 200)
  })

  for (const { name, plugin, point, fault, says } of ROWS) {
    it(`that ${fault} in ${point} fails its own node, and is named`, async () => {
      const found = await outcomes.get(name)

      const state =
        { validate: 'refused', deploySteps: 'refused', cleanUp: 'active' }[point as string] ?? 'deploy failed'
      assert.equal(found?.state, state, found?.told)
      assert.match(found?.told ?? '', says)
      assert.match(found?.told ?? '', new RegExp(`the deploy interface ${plugin} `))
    })
  }
})
