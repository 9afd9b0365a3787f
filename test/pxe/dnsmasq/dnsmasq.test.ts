/** The real dnsmasq, in a network namespace: start, death, return, end. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it, type TestContext } from 'node:test'
import type { PxeConfig } from '../../../pxe/index.ts'
import { exampleConfig } from '../example-config.ts'
import { temporaryFolder } from '../temporary-folder.ts'

/** Unprivileged as under systemd: capabilities, but not root. */
const ENTER =
  process.getuid?.() === 0 ? ['unshare', '--net'] : ['unshare', '--map-current-user', '--keep-caps', '--net']
const [UNSHARE = '', ...UNSHARE_ARGUMENTS] = ENTER
const mayEnter = spawnSync(UNSHARE, [...UNSHARE_ARGUMENTS, 'true']).status === 0
const options = mayEnter
  ? { timeout: 120_000, concurrency: 4 }
  : { skip: 'THIS BOX ALLOWS NO NETWORK NAMESPACE: dnsmasq is not tested' }

type Word = { message: string; level?: string; [key: string]: unknown }

type More = { port67IsTaken?: boolean; goneFolder?: string }

/** Starts it, and hears what it tells. */
async function startApart(t: TestContext, change: Partial<PxeConfig> & More = {}, folder = '') {
  const place = folder || (await temporaryFolder(t))
  const ipxe = join(place, 'ipxe')
  await mkdir(ipxe, { recursive: true })
  for (const name of ['undionly.kpxe', 'snponly.efi']) await writeFile(join(ipxe, name), `the file ${name}`)
  const config = JSON.stringify({ ...exampleConfig(place), ...change })
  const program = join(import.meta.dirname, 'in-namespace.ts')
  const child = spawn(UNSHARE, [...UNSHARE_ARGUMENTS, process.execPath, program, config], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  // It may have ended before it reads what it is told.
  child.stdin.on('error', () => {})
  const words: Word[] = []
  const lines = createInterface({ input: child.stdout }).on('line', (line) => words.push(JSON.parse(line)))
  const take = async (message: string): Promise<Word> => {
    for (;;) {
      const index = words.findIndex((word) => word.message === message)
      if (index >= 0) return words.splice(0, index + 1).at(-1) as Word
      await once(lines, 'line')
    }
  }
  const say = (command: string) => child.stdin.write(`${command}\n`)
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) say('stop')
    await ended
  })
  return { folder: place, take, say, child, ended }
}

/** RFC 2132, sections 3.3, 3.5, 3.8 and 8.3; addresses in hexadecimal. */
const NETWORK_OPTIONS: Readonly<Record<string, string>> = { 1: 'mask', 3: 'router', 6: 'dns', 42: 'ntp' }
const networkIn = (options: unknown) =>
  Object.fromEntries(
    Object.entries(options as object).flatMap(([number, value]) => {
      const name = NETWORK_OPTIONS[number]
      return name === undefined ? [] : [[name, value]]
    }),
  )

const isAlive = async (pid: unknown) => {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return status !== undefined && !/\) Z /.test(status)
}

describe('dnsmasq', options, () => {
  it('is given a checked configuration and the boot files, started, and stopped within a second', async (t) => {
    const pxe = await startApart(t)

    const started = await pxe.take('dnsmasq started')
    await pxe.take('start is over')
    pxe.say('health')
    const { healthy } = await pxe.take('health')
    pxe.say('stop')
    const { took_ms } = await pxe.take('stopped')

    assert.equal(started.interface, 'rack0')
    assert.equal(healthy, true)
    assert.equal(await readFile(join(pxe.folder, 'tftpboot/undionly.kpxe'), 'utf8'), 'the file undionly.kpxe')
    assert.equal(await readFile(join(pxe.folder, 'tftpboot/snponly.efi'), 'utf8'), 'the file snponly.efi')
    assert.match(await readFile(join(pxe.folder, 'dnsmasq/dnsmasq.conf'), 'utf8'), /\ninterface=rack0\n/)
    assert.ok(Number(took_ms) < 1_000, `${took_ms} ms`)
    assert.equal(await isAlive(started.pid), false)
  })

  it('starts whatever has become of the folder that the appliance was started from', async (t) => {
    const folder = await temporaryFolder(t)
    const pxe = await startApart(t, { goneFolder: join(folder, 'gone') }, folder)

    assert.deepEqual(await pxe.take('start is over'), { message: 'start is over' })
    pxe.say('health')
    assert.equal((await pxe.take('health')).healthy, true)
  })

  it('gives the boot files by TFTP', async (t) => {
    const pxe = await startApart(t)
    await pxe.take('start is over')

    pxe.say('tftp')

    assert.deepEqual(await pxe.take('tftp'), { message: 'tftp', opcode: 3, text: 'the file undionly.kpxe' })
  })

  it('gives machines neither router nor name server nor time by itself: this box is none of these', async (t) => {
    const pxe = await startApart(t, { dnsmasq_options: ['no-ping'] })
    await pxe.take('start is over')

    pxe.say('discover')
    const { options } = await pxe.take('offer')

    assert.deepEqual(networkIn(options), { mask: 'ffffff00' })
  })

  it('gives them those that the operator names', async (t) => {
    const pxe = await startApart(t, {
      routers: ['192.168.50.254'],
      dns_servers: ['9.9.9.9', '192.168.50.53'],
      ntp_servers: ['192.168.50.123'],
      dnsmasq_options: ['no-ping'],
    })
    await pxe.take('start is over')

    pxe.say('discover')
    const { options } = await pxe.take('offer')

    assert.deepEqual(networkIn(options), {
      mask: 'ffffff00',
      router: 'c0a832fe',
      dns: '09090909c0a83235',
      ntp: 'c0a8327b',
    })
  })

  it('gives them the router of a line of the operator for dnsmasq, which comes last', async (t) => {
    const pxe = await startApart(t, { dnsmasq_options: ['no-ping', 'dhcp-option=3,192.168.50.7'] })
    await pxe.take('start is over')

    pxe.say('discover')
    const { options } = await pxe.take('offer')

    assert.deepEqual(networkIn(options), { mask: 'ffffff00', router: 'c0a83207' })
  })

  it('is started again when it dies, and the log says what happened', async (t) => {
    const pxe = await startApart(t)
    const first = await pxe.take('dnsmasq started')

    process.kill(Number(first.pid), 'SIGKILL')
    const end = await pxe.take('dnsmasq ended')
    const second = await pxe.take('dnsmasq started')
    pxe.say('health')

    assert.equal(end.level, 'error')
    assert.match(String(end.reason), /^it ended with SIGKILL; its last words: /)
    assert.equal(end.again_in_s, 0.25)
    assert.notEqual(second.pid, first.pid)
    assert.equal((await pxe.take('health')).healthy, true)
  })

  it('is tried again after growing pauses while its port is taken; health says by whom it could be', async (t) => {
    const pxe = await startApart(t, { port67IsTaken: true })

    await pxe.take('start is over')
    pxe.say('health')
    const health = await pxe.take('health')
    const pauses = [await pxe.take('dnsmasq ended'), await pxe.take('dnsmasq ended')].map((end) => end.again_in_s)

    assert.equal(health.healthy, false)
    assert.equal(
      health.why,
      'DHCP and TFTP do not work, because dnsmasq does not run: another DHCP server of this box holds UDP port 67. End it ("ss -lunp" shows it), or set [dhcp] dhcp_provider = none.',
    )
    assert.deepEqual(pauses, [0.5, 1])
  })

  it('is healthy as soon as the interface that was missing is there', async (t) => {
    const pxe = await startApart(t, { interface: 'eth9' })

    const { reason } = await pxe.take('dnsmasq ended')
    pxe.say('plug')
    await pxe.take('dnsmasq started')

    assert.equal(
      reason,
      'this box has no network interface "eth9". Correct [dhcp] interface, or bring it up: "ip link" shows them.',
    )
  })

  it('that a killed appliance left behind is ended by the next one', async (t) => {
    const killed = await startApart(t)
    const orphan = await killed.take('dnsmasq started')
    killed.child.kill('SIGKILL')
    await killed.ended
    assert.equal(await isAlive(orphan.pid), true)

    const next = await startApart(t, {}, killed.folder)
    const warning = await next.take('a dnsmasq of an appliance that was killed is ended')
    await next.take('dnsmasq started')

    assert.equal(warning.pid, orphan.pid)
    assert.equal(await isAlive(orphan.pid), false)
  })

  it('is not started when it refuses its configuration; the one in place stays', async (t) => {
    const folder = await temporaryFolder(t)
    await mkdir(join(folder, 'dnsmasq'))
    await writeFile(join(folder, 'dnsmasq/dnsmasq.conf'), 'the one before')

    const pxe = await startApart(t, { dnsmasq_options: ['no-ping', 'bogus=1'] }, folder)

    const over = await pxe.take('start is over')
    assert.equal(over.name, 'PxeError')
    assert.equal(
      over.failed,
      'dnsmasq refuses its configuration: bad option in "bogus=1". Correct [dhcp] dhcp_range or dnsmasq_options.',
    )
    assert.equal(await readFile(join(folder, 'dnsmasq/dnsmasq.conf'), 'utf8'), 'the one before')
  })

  it('is not started without the boot files that machines will ask for', async (t) => {
    const pxe = await startApart(t, { uefi_ipxe_bootfile_name: 'other.efi' })

    const { failed } = await pxe.take('start is over')

    assert.equal(
      failed,
      `[pxe] uefi_ipxe_bootfile_name is other.efi, and ${pxe.folder}/ipxe has no such file. Install iPXE (Debian: apt install ipxe), or correct [pxe] ipxe_path.`,
    )
    await assert.rejects(access(join(pxe.folder, 'dnsmasq')))
  })
})
