/** `rackstrap plugins` beside an appliance that runs, and without one. */
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { startChild } from '../../bench/child.ts'
import { codeOf, layPlugin, manifestOf, pluginPath } from '../plugin-host/plugin-folder.ts'

const CLI = join(import.meta.dirname, '../../../appliance/cli.ts')

type Ended = { status: number; stdout: string; stderr: string }

async function plugins(...args: string[]): Promise<Ended> {
  try {
    const ended = await promisify(execFile)(process.execPath, [CLI, 'plugins', ...args], { timeout: 60_000 })
    return { status: 0, ...ended }
  } catch (error) {
    const { code, stdout, stderr } = error as Ended & { code: number }
    return { status: code, stdout, stderr }
  }
}

/** One plugin in plugin_path, and one of npm. */
function box(t: TestContext) {
  const folder = pluginPath(t)
  const state = join(folder, 'state')
  mkdirSync(state)
  const version = (number: string) => manifestOf('one', { version: number })
  const lay = (number: string, code = codeOf('one')) =>
    layPlugin(join(state, 'node_modules/@acme'), 'one', { manifest: version(number), code })
  layPlugin(join(folder, 'own'), 'two')
  const path = join(folder, 'rackstrap.conf')
  const config = `[DEFAULT]
state_path = ${state}
my_ip = 127.0.0.1
plugin_path = ${folder}/own
plugin_packages = @acme/one
enabled_deploy_interfaces = one
[api]
host_ip = 127.0.0.1
port = 0
[deploy]
http_url = http://127.0.0.1:0
`
  writeFileSync(path, config)
  return { folder, path, lay }
}

describe('rackstrap serve', () => {
  it('ends with a failure when a plugin ends it, so that systemd starts it anew', (t) => {
    const { path, lay } = box(t)
    // The process that tries it first can send.
    lay('1.0.0', `if (process.send === undefined) process.exit(0)\n${codeOf('one')}`)

    const { status } = spawnSync(process.execPath, [CLI, 'serve', '--config', path], { timeout: 60_000 })

    assert.equal(status, 1)
  })
})

describe('rackstrap plugins', () => {
  it('lists what a start would load, also what is refused, and why', async (t) => {
    const { path, lay, folder } = box(t)
    lay('1.0.0', 'export default 7\n')

    const { stdout } = await plugins('list', '--config', path)

    const entry = join(folder, 'state/node_modules/@acme/one')
    assert.match(
      stdout,
      /^No appliance runs on \S+: this is what a start would load\.\nPLUGIN +KIND +VERSION +STATE +FROM\n/,
    )
    assert.match(stdout, new RegExp(`\\none +deploy +1\\.0\\.0 +refused +${entry}\\n`))
    assert.match(stdout, /\ntwo +deploy +- +not enabled +\S+own\/two\n/)
    assert.match(
      stdout,
      /\none: plugin \S+ is refused: its default export is number, and the plugin object is expected\n/,
    )
  })

  it('has an appliance take an update, keep what a bad one would replace, and say so', async (t) => {
    const { path, lay } = box(t)
    lay('1.0.0')
    const underSystemd = [`NOTIFY_SOCKET=${path}.nobody`, process.execPath, CLI, 'serve', '--config', path]
    await using child = startChild(underSystemd, '/usr/bin/env')
    const { api } = await child.told('listening')
    const health = async () =>
      ((await (await fetch(`${api}/healthz`)).json()) as { parts: { plugins: object } }).parts.plugins

    const nothing = await plugins('reload', '--config', path)
    lay(
      '1.1.0',
      `const more: string = 'more'\n${codeOf('one').replace('options: {}', 'options: {}, properties: { more }')}`,
    )
    const good = await plugins('reload', '--config', path)
    const drivers = await (await fetch(`${api}/v1/drivers/ipmi/properties`)).json()
    lay('1.2.0', 'throw new Error("half an update")\n')
    const bad = await plugins('reload', '--config', path)
    const broken = await health()
    lay('1.3.0')
    process.kill(child.pid, 'SIGHUP')
    await child.told(
      'plugins reloaded',
      () => child.lines.filter(({ message }) => message === 'plugins reloaded').length === 4,
    )
    const listed = JSON.parse((await plugins('list', '--json', '--config', path)).stdout)

    assert.match(nothing.stdout, /^no plugin has changed\n/)
    assert.deepEqual([good.status, good.stdout.split('\n')[0]], [0, 'new code: one'])
    assert.equal((drivers as { more?: string }).more, 'more')
    const reason = /one: plugin \S+ cannot be loaded: half an update\. The one that was loaded before goes on\./
    assert.equal(bad.status, 1)
    assert.match(bad.stdout, reason)
    assert.match(bad.stdout, /\none +deploy +1\.1\.0 +kept /)
    assert.match(JSON.stringify(broken), /"healthy":false.*half an update\. The one that was loaded before goes on/)
    assert.deepEqual(
      listed
        .filter(({ name }: { name: string }) => name === 'one')
        .map(({ version, state }: { version: string; state: string }) => [version, state]),
      [['1.3.0', 'loaded']],
    )
    assert.equal(JSON.stringify(await health()), '{"healthy":true}')
  })

  it('says that nothing runs which could reload', async (t) => {
    const { path } = box(t)

    const { status, stderr } = await plugins('reload', '--config', path)

    assert.equal(status, 1)
    assert.match(
      stderr,
      /^rackstrap: No appliance runs on \S+ \(\[DEFAULT\] state_path\): start it with rackstrap serve/,
    )
  })
})
