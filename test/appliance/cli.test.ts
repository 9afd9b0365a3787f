/** The command line as an operator meets it: the real program, its words and its exit status. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { startChild } from '../bench/child.ts'
import { layRamdisk } from '../pxe/ramdisk-on-paper.ts'
import { codeOf, layPlugin } from './plugin-host/plugin-folder.ts'

const CLI = join(import.meta.dirname, '../../appliance/cli.ts')
const WRAPPER = join(import.meta.dirname, '../../appliance/rackstrap')
const STOP_LIMIT_MS = 5_000

type Ended = { status: number | null; stdout: string; stderr: string }

async function rackstrap(...args: string[]): Promise<Ended> {
  const child = spawn(WRAPPER, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000, killSignal: 'SIGKILL' })
  const words = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (text) => (words[name] += text))
  const [status] = await once(child, 'close')
  return { status, ...words }
}

function configFile(t: TestContext, more = '', api = 'host_ip = 127.0.0.1\nport = 0\n') {
  const folder = mkdtempSync(join(tmpdir(), 'rackstrap-cli-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'rackstrap.conf')
  const text = `[DEFAULT]\nstate_path = ${folder}/state\nmy_ip = 127.0.0.1\n[api]\n${api}[deploy]\nhttp_url = http://127.0.0.1:0\n${more}`
  writeFileSync(path, text)
  layRamdisk(join(folder, 'state', 'ramdisk'))
  return { folder, path }
}

describe('rackstrap serve', () => {
  it('tells its addresses when it is ready, answers, and is gone within 5 s of SIGTERM, slow clients or not', async (t) => {
    const { path, folder } = configFile(t)
    rmSync(join(folder, 'state', 'ramdisk'), { recursive: true })
    const child = startChild([CLI, 'serve', '--config', path])
    const { api, http } = await child.told('listening')
    const health = await fetch(`${api}/healthz`)
    const slow = await Promise.all([connectTo(String(api)), connectTo(String(http))])
    t.after(() => slow.map((socket) => socket.destroy()))

    assert.equal(health.status, 200)
    const { parts } = (await health.json()) as { parts: { ramdisk: { healthy: boolean; message: string } } }
    assert.match(
      parts.ramdisk.message,
      /^There is no deploy ramdisk: .* Build one with "rackstrap ramdisk build --output /,
    )
    assert.equal((await fetch(`${http}/boot.ipxe`)).status, 200)

    const began = performance.now()
    await child[Symbol.asyncDispose]()

    assert.ok(performance.now() - began < STOP_LIMIT_MS)
    assert.equal(child.lines.at(-1)?.message, 'stopped')
  })

  it('stops as cleanly while a program works for it, told twice to', async (t) => {
    const bmc = createSocket('udp4').bind(0, '127.0.0.1')
    t.after(() => bmc.close())
    await once(bmc, 'listening')
    const { path } = configFile(t, '[DEFAULT]\nreachable_networks = 127.0.0.1\n')
    const child = startChild([CLI, 'serve', '--config', path])
    const { api } = await child.told('listening')
    const asked = once(bmc, 'message')
    const driver_info = { ipmi_address: '127.0.0.1', ipmi_port: bmc.address().port }
    await send(`${api}/v1/nodes`, 'POST', { name: 'hung', driver: 'ipmi', driver_info })
    await send(`${api}/v1/nodes/hung/states/provision`, 'PUT', { target: 'manage' })
    await asked

    process.kill(child.pid, 'SIGTERM')
    await child.told('stopping')
    await child[Symbol.asyncDispose]()

    assert.equal(child.lines.at(-1)?.message, 'stopped')
  })

  it('outlives a promise that a plugin left to itself', async (t) => {
    const { path, folder } = configFile(t)
    layPlugin(folder, 'careless', {
      code: `void Promise.reject(new Error('nobody waits for me'))\n${codeOf('careless')}`,
    })
    const text = `[DEFAULT]\nplugin_path = ${folder}\nenabled_deploy_interfaces = careless\n`
    writeFileSync(path, text, { flag: 'a' })
    await using child = startChild([CLI, 'serve', '--config', path])

    const { error } = await child.told('promise rejected, and nobody waited for it')
    const { api } = await child.told('listening')

    assert.equal((error as { message: string }).message, 'nobody waits for me')
    assert.equal((await fetch(`${api}/v1`)).status, 200)
  })

  it('does not start on a bad value, and tells file and line', async (t) => {
    const { path } = configFile(t, '[dhcp]\ndhcp_provider = isc\n')

    assert.deepEqual(await rackstrap('serve', '--config', path), {
      status: 1,
      stdout: '',
      stderr: `rackstrap: ${path}:10: [dhcp] dhcp_provider: expected one of none, dnsmasq, found "isc"\n`,
    })
  })

  it('says which configuration file it cannot read', async () => {
    const { status, stderr } = await rackstrap('serve', '--config', '/nowhere/r.conf')

    assert.equal(status, 1)
    assert.match(stderr, /^rackstrap: The configuration file \/nowhere\/r\.conf cannot be read: ENOENT/)
  })

  it('warns of an option that nobody knows, and starts', async (t) => {
    const { path } = configFile(t, '[pxe]\nramdisk_pth = /x\n')
    await using child = startChild([CLI, 'serve', '--config', path])
    await child.told('listening')

    const { warning } = await child.told('configuration')

    assert.equal(warning, `${path}:10: [pxe] ramdisk_pth is not known and has no effect: did you mean ramdisk_path?`)
  })

  it('says in one sentence that its port is taken', async (t) => {
    const server = createServer().listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const { path } = configFile(t, '', `host_ip = 127.0.0.1\nport = ${port}\n`)

    const { status, stderr } = await rackstrap('serve', '--config', path)

    assert.equal(status, 1)
    assert.equal(
      stderr,
      `rackstrap: Cannot listen on 127.0.0.1:${port} ([api] host_ip and port): another program listens there already.\n`,
    )
  })

  it('starts without a plugin that is not there, and is unhealthy for it', async (t) => {
    const { path } = configFile(t)
    writeFileSync(path, '[DEFAULT]\nenabled_deploy_interfaces = direct,nosuch\n', { flag: 'a' })
    await using child = startChild([CLI, 'serve', '--config', path])
    const { api } = await child.told('listening')

    const health = await fetch(`${api}/healthz`)
    const { parts } = (await health.json()) as { parts: { plugins: { message: string } } }

    assert.equal(health.status, 503)
    assert.match(parts.plugins.message, /^enabled_deploy_interfaces names "nosuch", and no plugin of this name is in /)
  })
})

describe('rackstrap config', () => {
  it('sample is a configuration that check takes without a word', async (t) => {
    const { folder } = configFile(t)
    const path = join(folder, 'sample.conf')
    layRamdisk(join(folder, 'ramdisk'))
    const sample = await rackstrap('config', 'sample')
    writeFileSync(path, sample.stdout.replaceAll('#state_path = /var/lib/rackstrap', `state_path = ${folder}`))

    const { status, stdout, stderr } = await rackstrap('config', 'check', path)

    assert.deepEqual([sample.status, sample.stderr, status, stderr], [0, '', 0, ''])
    assert.ok(stdout.endsWith('\n\n0 errors, 0 warnings\n'))
    assert.ok(stdout.startsWith(`# ${path}: this is what would be used.\n\n[DEFAULT]\nstate_path = ${folder}\n`))
  })

  it('check warns of a deploy ramdisk that is not there, with the command that builds one', async (t) => {
    const { folder, path } = configFile(t)
    const ramdisk = join(folder, 'state', 'ramdisk')
    rmSync(ramdisk, { recursive: true })

    const { status, stdout } = await rackstrap('config', 'check', path)

    const warning = `There is no deploy ramdisk: ${ramdisk}/ramdisk.json cannot be read (ENOENT). Build one with "rackstrap ramdisk build --output ${ramdisk}", or correct [pxe] ramdisk_path.`
    assert.equal(status, 0)
    assert.ok(stdout.endsWith(`\nwarning: ${warning}\n\n0 errors, 1 warning\n`), stdout)
  })

  it('check tells of options that are wrong together, and serve does not start on them', async (t) => {
    const { path } = configFile(t, '[dhcp]\ndhcp_provider = dnsmasq\n', 'host_ip = 127.0.0.1\nport = 8080\n')
    const text =
      '[DEFAULT]\nenabled_hardware_types = ipmi,redfysh\ndefault_deploy_interface = drect\n[deploy]\nhttp_url = http://127.0.0.1:8080\n'
    writeFileSync(path, text, { flag: 'a' })
    const problems = [
      `${path}:6: [api] port and [deploy] http_url both name port 8080: expected two. Change one of them.`,
      `${path}:12: [DEFAULT] enabled_hardware_types names "redfysh": expected some of ipmi, fake-hardware, idrac, ilo, manual-management, redfish.`,
      `${path}:10: [dhcp] interface is not set, and dhcp_provider is dnsmasq: name the network interface on the rack's side.`,
      `${path}:10: [dhcp] dhcp_range is empty, and dhcp_provider is dnsmasq: give the addresses for machines, e.g. 192.168.50.100,192.168.50.200,255.255.255.0,1h.`,
      `${path}:13: [DEFAULT] default_deploy_interface is "drect": expected one of the enabled ones (autodetect, direct, ramdisk, bootc).`,
    ]

    const checked = await rackstrap('config', 'check', path)
    const served = await rackstrap('serve', '--config', path)

    const warning = `warning: ${path}:15: [deploy] http_url was given in line 8 already: the last one holds\n`
    assert.equal(
      checked.stdout.slice(checked.stdout.indexOf('warning: ')),
      `${warning}\n${problems.map((problem) => `error: ${problem}\n`).join('')}\n5 errors, 1 warning\n`,
    )
    assert.deepEqual([checked.status, checked.stderr], [1, ''])
    assert.deepEqual([served.status, served.stderr], [1, `rackstrap: ${problems.join('\n')}\n`])
  })

  it('check tells of everything that is wrong at once, last of all, with file and line', async (t) => {
    const { path } = configFile(
      t,
      `[pxe]
image_cache_size = much
tftp_root = tftp
[agent]
require_tls = perhaps
what is this
[conductor]
enabled = True
[registry]
gc_at = every day
access_rules = * push alice
[upstream:quay.io]
url = quay.io
tag_ttl = -5
[upstream:docker.io]
ttl = 5
[bootc]
install = nowhere
guest_memry = 1
[DEFAULT]
my_ip = rackbox
enabled_deploy_interfaces = direct,bootc,nosuch
`,
    )

    const { status, stdout, stderr } = await rackstrap('config', 'check', path)

    assert.deepEqual([status, stderr], [1, ''])
    assert.equal(
      stdout
        .slice(stdout.indexOf('warning: '))
        .replaceAll(path, 'r.conf')
        .replace(/ It has .*/, '')
        .replace(/(no plugin of this name) is in .*/, '$1'),
      `warning: r.conf:16: [conductor] enabled is not known and has no effect
warning: r.conf:24: [upstream:docker.io] ttl is not known and has no effect
warning: r.conf:27: [bootc] guest_memry is not known and has no effect: did you mean guest_memory?
warning: r.conf:29: [DEFAULT] my_ip was given in line 3 already: the last one holds

error: r.conf:14: "what is this" is neither [section] nor name = value
error: r.conf:13: [agent] require_tls: expected true or false, found "perhaps"
error: r.conf:11: [pxe] tftp_root: expected an absolute path (one that begins with /), found "tftp"
error: r.conf:10: [pxe] image_cache_size: expected a whole number of at least 0 (MiB), found "much"
error: r.conf:26: [bootc] install: expected one of auto, machine, appliance, found "nowhere"
error: r.conf:22: [upstream:quay.io] tag_ttl: expected a whole number of at least 0 (s), found "-5"
error: r.conf:21: [upstream:quay.io] url is 'quay.io': expected https://HOST or http://HOST.
error: r.conf:24: [upstream:docker.io] url is not set: expected the address of a registry, such as https://quay.io.
error: r.conf:29: [DEFAULT] my_ip is "rackbox": expected an IP address of this box.
error: r.conf:30: enabled_deploy_interfaces names "nosuch", and no plugin of this name
error: r.conf:18: [registry] gc_at is 'every day': expected minute, hour, day, month and weekday, such as 0 3 * * * (each day at three).

11 errors, 4 warnings
`,
    )
  })

  it('check ends with 2 by --strict when there are warnings, and else with 0', async (t) => {
    const { path } = configFile(t, '[pxe]\ntftp_rot = /srv\n')

    const lax = await rackstrap('config', 'check', path)
    const strict = await rackstrap('config', 'check', '--strict', path)

    assert.deepEqual([lax.status, strict.status], [0, 2])
    assert.equal(strict.stdout, lax.stdout)
    assert.ok(
      strict.stdout.endsWith(
        `\n\nwarning: ${path}:10: [pxe] tftp_rot is not known and has no effect: did you mean tftp_root?\n\n0 errors, 1 warning\n`,
      ),
    )
  })
})

/** A client that asks for something and never reads the answer to its end. */
async function connectTo(url: string) {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  socket.write('GET /v1/nodes HTTP/1.1\r\nHost: x\r\n')
  return socket
}

async function send(url: string, method: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json', 'X-OpenStack-Ironic-API-Version': '1.80' }
  const { ok } = await fetch(url, { method, headers, body: JSON.stringify(body) })
  assert.ok(ok)
}

describe('rackstrap doctor', () => {
  it('tells each step of SECURITY.md, what to do about the open ones, and by its status that some are open', async (t) => {
    const { path } = configFile(t)

    const { status, stdout, stderr } = await rackstrap('doctor', '--config', path)

    assert.deepEqual([status, stderr], [1, ''])
    assert.ok(stdout.startsWith(`ok The configuration has no error: ${path}\nok The API knows who asks: `))
    assert.match(stdout, /^!! No md5 for images: .*\n {3}Give images sha256/m)
    assert.match(stdout, /\n\d+ of 12 steps of SECURITY\.md are taken\n$/)
  })
})
