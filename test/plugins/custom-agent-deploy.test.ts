/**
 * The deploy interface custom-agent from the deploy call to `active`: the appliance as a process, our agent with a
 * layer's steps as another, HTTP between them. Only the steel is missing, as for direct.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import { bundle } from '../../pxe/ramdisk/bundle.ts'
import { type LogLine, startChild } from '../bench/child.ts'
import { bootedUrl, cmdlineFor, startAgent } from '../pxe/ramdisk/agent/agent-process.ts'
import { diskImage } from '../pxe/ramdisk/agent/disk-images.ts'
import { MAC, makeMachine } from '../pxe/ramdisk/agent/fake-machine.ts'
import { layRamdisk } from '../pxe/ramdisk-on-paper.ts'
import { block } from './example.ts'

const APPLIANCE = join(import.meta.dirname, '../../appliance/cli.ts')
const README = join(import.meta.dirname, '../../plugins/custom-agent/README.md')
const ANSWER_MS = 20_000
const HEADERS = { 'content-type': 'application/json', 'x-openstack-ironic-api-version': '1.115' }
/** Beside the README's: with arguments, and only when it is asked for. */
const LABEL = `exports.steps = { acme_label: {
  priority: 0,
  argsInfo: { text: { description: 'What it says.', required: true } },
  run: async (agent, { text }) => agent.screen.say('The label says ' + text),
} }`

async function served(t: TestContext, body: Buffer): Promise<string> {
  const server = createServer((_request, response) => response.end(body)).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.raw.gz`
}

function layIn(root: string): void {
  const folder = join(root, 'usr/lib/rackstrap/steps')
  mkdirSync(folder, { recursive: true })
  const entry = join(root, 'acme.ts')
  writeFileSync(entry, block('ts', '', readFileSync(README, 'utf8')))
  writeFileSync(join(folder, 'acme.js'), bundle(entry))
  writeFileSync(join(folder, 'label.js'), LABEL)
}

describe('a deploy with the interface custom-agent', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'custom-agent-'))
  const config = join(folder, 'rackstrap.conf')
  writeFileSync(
    config,
    [
      `[DEFAULT]\nstate_path = ${join(folder, 'state')}\nmy_ip = 127.0.0.1\nreachable_networks = 127.0.0.1\nenabled_deploy_interfaces = custom-agent`,
      '[api]\nhost_ip = 127.0.0.1\nport = 0',
      '[deploy]\nhttp_url = http://127.0.0.1:0',
      '[conductor]\nautomated_clean = false',
      '[agent]\npost_deploy_get_power_state_retries = 1\npost_deploy_get_power_state_retry_interval = 0\n',
    ].join('\n'),
  )
  layRamdisk(join(folder, 'state', 'ramdisk'))

  it("is written by a layer's step, and does what else was asked of the agent, with arguments", async (t) => {
    t.after(() => rmSync(folder, { recursive: true }))
    await using appliance = startChild([APPLIANCE, 'serve', '--config', config])
    const { api, http } = await appliance.told('listening')
    const call = async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
      const request = { method, headers: HEADERS, body: JSON.stringify(body), signal: AbortSignal.timeout(ANSWER_MS) }
      const answer = await fetch(`${api}/v1${path}`, request)
      const text = await answer.text()
      assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`)
      return text === '' ? {} : JSON.parse(text)
    }
    const arrival = (states: readonly string[]): Promise<LogLine> =>
      appliance.told('provision state changed', ({ to }) => states.includes(String(to)))
    const image = await diskImage('gpt')
    const instance_info = { acme_image: await served(t, gzipSync(image)) }
    const { uuid } = await call('POST', '/nodes', { driver: 'fake-hardware', instance_info })
    await call('POST', '/ports', { node_uuid: uuid, address: MAC })
    for (const [target, state] of [['manage', 'manageable'] as const, ['provide', 'available'] as const]) {
      await call('PUT', `/nodes/${uuid}/states/provision`, { target })
      await arrival([state])
    }
    const deploy_steps = [{ interface: 'deploy', step: 'acme_label', priority: 65, args: { text: 'rack 7' } }]

    await call('PUT', `/nodes/${uuid}/states/provision`, { target: 'active', deploy_steps })
    await arrival(['wait call-back'])
    await using machine = await makeMachine({ cmdline: cmdlineFor({ url: await bootedUrl(http, MAC) }) })
    layIn(machine.root)
    await using _agent = startAgent(machine)
    const { to } = await arrival(['active', 'deploy failed'])

    const { last_error, deploy_interface } = await call('GET', `/nodes/${uuid}`)
    assert.deepEqual(
      { to, last_error, deploy_interface },
      { to: 'active', last_error: null, deploy_interface: 'custom-agent' },
    )
    assert.ok((await machine.read('vda', 0, image.length)).equals(image))
    assert.match(await machine.console(), /The label says rack 7/)
    const steps = appliance.lines.filter(({ message }) => message === 'step started').map(({ step }) => step)
    assert.deepEqual(steps.slice(0, 4), ['deploy', 'acme_write', 'acme_label', 'prepare_instance_boot'])
  })
})
