/**
 * The deploy interface anaconda from the deploy call to its end: the appliance as a process, and this test as the
 * installer, which knows no more than what a machine is given at its boot. Only the steel is missing.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Child, type LogLine, startChild } from '../bench/child.ts'
import { layRamdisk } from '../pxe/ramdisk-on-paper.ts'

const APPLIANCE = join(import.meta.dirname, '../../appliance/cli.ts')
const ANSWER_MS = 30_000
const HEADERS = { 'content-type': 'application/json', 'x-openstack-ironic-api-version': '1.115' }
const USER_DATA = 'a-secret-of-the-tenant'
const BODY =
  '\nliveimg --url {{ ks_options.liveimg_url }}\n# {{ ks_options.agent_token }} {{ ks_options.heartbeat_url }}\n'

/** What a template does beside what it must. */
const TEMPLATES = {
  loops: '{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}',
  reads: 'lang en_US\n{% include "/etc/passwd" %}',
  short: '',
  good: '{{ ks_options.config_drive }}',
}

type Kickstart = { text: string; url: string; token: string; heartbeat: string }

describe('a deploy with the interface anaconda', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'anaconda-'))
  const href = (name: string) => `file://${join(folder, 'files', name)}`
  let appliance: Child
  let api: string
  let http: string
  let nodes = 0

  before(async () => {
    const files = join(folder, 'files')
    mkdirSync(join(folder, 'root', 'etc'), { recursive: true })
    mkdirSync(files)
    writeFileSync(join(folder, 'root', 'etc', 'hostname'), 'installed\n')
    execFileSync('tar', ['-czf', join(files, 'root.tgz'), '-C', join(folder, 'root'), '.'])
    writeFileSync(join(files, 'vmlinuz'), 'a kernel')
    writeFileSync(join(files, 'initrd'), 'a ramdisk')
    writeFileSync(join(files, 'install.img'), 'hsqs, and more')
    writeFileSync(join(files, 'page'), '<!DOCTYPE html><html><body>sign in</body></html>')
    writeFileSync(
      join(files, 'disk.qcow2'),
      Buffer.concat([Buffer.from('QFI\xfb\0\0\0\x03', 'latin1'), Buffer.alloc(600)]),
    )
    for (const [name, text] of Object.entries(TEMPLATES)) {
      writeFileSync(join(files, name), text + (name === 'short' ? '# nothing of use\n' : BODY))
    }
    layRamdisk(join(folder, 'state', 'ramdisk'))
    const config = join(folder, 'rackstrap.conf')
    writeFileSync(
      config,
      [
        `[DEFAULT]\nstate_path = ${join(folder, 'state')}\nmy_ip = 127.0.0.1\nreachable_networks = 127.0.0.1\nenabled_deploy_interfaces = direct,anaconda`,
        '[api]\nhost_ip = 127.0.0.1\nport = 0',
        '[deploy]\nhttp_url = http://127.0.0.1:0',
        `[conductor]\nautomated_clean = false\nfile_url_allowed_paths = ${files}\n`,
      ].join('\n'),
    )
    appliance = startChild([APPLIANCE, 'serve', '--config', config])
    const told = await appliance.told('listening')
    api = String(told.api)
    http = String(told.http)
  })
  after(async () => {
    await appliance[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })

  const ask = (method: string, path: string, body?: object, headers: Record<string, string> = HEADERS) =>
    fetch(`${api}/v1${path}`, { method, headers, body: JSON.stringify(body), signal: AbortSignal.timeout(ANSWER_MS) })
  async function call(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const answer = await ask(method, path, body)
    const text = await answer.text()
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`)
    return text === '' ? {} : JSON.parse(text)
  }
  const arrival = (uuid: string, states: readonly string[]): Promise<LogLine> =>
    appliance.told('provision state changed', ({ node, to }) => node === uuid && states.includes(String(to)))

  async function available(instance_info: object): Promise<{ uuid: string; mac: string }> {
    nodes += 1
    const mac = `52:54:00:00:10:${String(nodes).padStart(2, '0')}`
    const fields = { image_source: href('root.tgz'), kernel: href('vmlinuz'), ramdisk: href('initrd') }
    const created = await call('POST', '/nodes', {
      ...{ name: `k${nodes}`, driver: 'fake-hardware', deploy_interface: 'anaconda' },
      instance_info: { ...fields, stage2: href('install.img'), ...instance_info },
    })
    const uuid = String(created.uuid)
    await call('POST', '/ports', { node_uuid: uuid, address: mac })
    await call('PUT', `/nodes/${uuid}/states/provision`, { target: 'manage' })
    await arrival(uuid, ['manageable'])
    await call('PUT', `/nodes/${uuid}/states/provision`, { target: 'provide' })
    await arrival(uuid, ['available'])
    return { uuid, mac }
  }
  async function deploying(instance_info: object = {}) {
    const node = await available(instance_info)
    const configdrive = { meta_data: { hostname: 'k' }, user_data: USER_DATA }
    await call('PUT', `/nodes/${node.uuid}/states/provision`, { target: 'active', configdrive })
    const { to } = await arrival(node.uuid, ['wait call-back', 'deploy failed'])
    const { last_error } = await call('GET', `/nodes/${node.uuid}`)
    return { ...node, to, last_error }
  }
  const text = async (url: string) => (await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) })).text()
  const statusOf = async (url: string) => (await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) })).status

  /** A failure is in the record a moment before all is taken away. */
  async function untilGone(url: string): Promise<void> {
    for (const end_ms = Date.now() + ANSWER_MS; (await statusOf(url)) !== 404; ) assert.ok(Date.now() < end_ms, url)
  }

  /** What the machine is told at its boot. */
  async function booted(mac: string) {
    const script = await text(`${http}/boot/${mac.replaceAll(':', '-')}`)
    const parameter = (name: string) => new RegExp(`${name}=(\\S+)`).exec(script)?.[1] ?? ''
    return { script, ks: parameter('inst\\.ks'), stage2: parameter('inst\\.stage2') }
  }
  async function kickstartAt(url: string): Promise<Kickstart> {
    const kickstart = await text(url)
    const token = /"agent_token": "([^"]+)"/.exec(kickstart)?.[1] ?? /^# (\S+) http/m.exec(kickstart)?.[1] ?? ''
    const heartbeat = /http:\/\/\S+\/v1\/heartbeat\/\S+/.exec(kickstart)?.[0] ?? ''
    return { text: kickstart, url, token, heartbeat }
  }
  /** As curl does in a kickstart. */
  async function report({ token, heartbeat }: Kickstart, agent_status: string, message = 'words'): Promise<number> {
    const headers = { ...HEADERS, 'x-openstack-ironic-api-version': '1.72' }
    const body = { callback_url: '', agent_token: token, agent_status, agent_status_message: message }
    return (await fetch(heartbeat, { method: 'POST', headers, body: JSON.stringify(body) })).status
  }
  async function installing(instance_info: object = {}) {
    const node = await deploying(instance_info)
    assert.equal(node.to, 'wait call-back', String(node.last_error))
    const machine = await booted(node.mac)
    return { ...node, machine, kickstart: await kickstartAt(machine.ks) }
  }

  it('gives the machine its installer, hears its reports, and leaves nothing of the kickstart', async () => {
    const { uuid, mac, machine, kickstart } = await installing({ ks_template: href('good') })

    assert.ok(kickstart.url.startsWith(`${http}/nodes/${uuid}/`))
    assert.equal(await text(`${machine.stage2}LiveOS/squashfs.img`), 'hsqs, and more')
    assert.deepEqual(
      await Promise.all(['.treeinfo', 'images/install.img'].map((end) => statusOf(machine.stage2 + end))),
      [404, 404],
    )
    const liveimg = /^liveimg --url (\S+\/image\.tar\.gz)$/m.exec(kickstart.text)?.[1] ?? ''
    assert.equal(await statusOf(liveimg), 200)
    assert.ok(kickstart.text.includes(Buffer.from(USER_DATA).toString('base64')))
    assert.deepEqual(
      [await report({ ...kickstart, token: 'wrong' }, 'end'), await report(kickstart, 'start')],
      [400, 202],
    )
    // The installer may call twice.
    assert.deepEqual(await Promise.all([report(kickstart, 'end'), report(kickstart, 'end')]), [202, 202])
    assert.equal((await arrival(uuid, ['active', 'deploy failed'])).to, 'active')

    assert.deepEqual(await Promise.all([kickstart.url, liveimg].map(statusOf)), [404, 404])
    assert.match((await booted(mac)).script, /sanboot|exit/)
    const shown = JSON.stringify(await call('GET', `/nodes/${uuid}`)) + JSON.stringify(appliance.lines)
    for (const secret of [kickstart.token, kickstart.url, USER_DATA]) assert.ok(!shown.includes(secret), secret)
  })

  it('fails with what the installer says: one line, no control characters, at most 4000', async () => {
    const { uuid, kickstart } = await installing()
    const words = `no \u001b[31mdisk\u001b[0m\n${'x'.repeat(900_000)}`

    assert.equal(await report(kickstart, 'error', words), 202)
    await arrival(uuid, ['deploy failed'])

    const { last_error } = await call('GET', `/nodes/${uuid}`)
    const said = String(last_error)
    assert.ok(
      said.startsWith('Deploy step deploy.deploy failed: The installer reported an error: no disk xxx'),
      said.slice(0, 200),
    )
    assert.ok(said.length < 1200 && !/\p{Cc}/u.test(said))
    await untilGone(kickstart.url)
    assert.equal(await report(kickstart, 'error', 'x'.repeat(2_000_000)), 413)
  })

  const WRONG: readonly (readonly [what: string, fields: object, message: RegExp])[] = [
    [
      'a template that loops',
      { ks_template: href('loops') },
      /^Deploy step deploy\.deploy failed: The template instance_info\/ks_template cannot be used: line 1: it does too much, such as a loop that does not end soon\.$/,
    ],
    [
      'a template that reads files',
      { ks_template: href('reads') },
      /cannot be used: line 2: template not found: tried to include non-existing template "\/etc\/passwd"\.$/,
    ],
    [
      'a template without what an installer needs',
      { ks_template: href('short') },
      /missing from the kickstart template: liveimg_url, agent_token, heartbeat_url, config_drive \(/,
    ],
    [
      'a kernel that is a web page',
      { kernel: href('page') },
      /is a web page by its content.* Set instance_info\/kernel to/,
    ],
    [
      'a disk image',
      { image_source: href('disk.qcow2') },
      /instance_info\/image_source of node \S+ is of format qcow2 by its content: expected a tarball/,
    ],
  ]
  for (const [what, fields, message] of WRONG) {
    it(`fails in one sentence over ${what}, and serves nothing`, async () => {
      const { mac, to, last_error } = await deploying(fields)

      assert.equal(to, 'deploy failed')
      assert.match(String(last_error), message)
      assert.ok(!String(last_error).includes('\n'))
      assert.equal((await booted(mac)).ks, '')
    })
  }

  it('is refused at once without stage2', async () => {
    const { uuid } = await available({ stage2: null })

    const answer = await ask('PUT', `/nodes/${uuid}/states/provision`, { target: 'active' })

    assert.equal(answer.status, 400)
    assert.match(await answer.text(), /is missing the following properties: stage2\. Set instance_info\/stage2 of node/)
  })
})
