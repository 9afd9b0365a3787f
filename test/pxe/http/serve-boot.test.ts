/** Over real sockets: what a machine's firmware sees, and what the log tells. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { isLasting } from '../../../pxe/check-ramdisk.ts'
import { createPxe, type MachineBootOf, PxeError, packMachineFiles } from '../../../pxe/index.ts'
import { exampleConfig } from '../example-config.ts'
import { temporaryFolder } from '../temporary-folder.ts'

const MAC = '52:54:00:12:34:56'
const KERNEL = Buffer.from('0123456789')
const agent: MachineBootOf = () => ({ kind: 'agent', node: '5f2c', name: 'n1', parameters: [], layers: [] })

async function startPxe(t: TestContext, machineBootOf: MachineBootOf = agent) {
  const folder = await temporaryFolder(t)
  const ramdisk = join(folder, 'ramdisk')
  await mkdir(ramdisk)
  await writeFile(join(folder, 'secret'), 'secret')
  await writeFile(join(ramdisk, 'vmlinuz-1'), KERNEL)
  await writeFile(join(ramdisk, '.hidden'), 'half')
  await writeFile(join(ramdisk, 'ramdisk.json'), JSON.stringify({ kernel: 'vmlinuz-1', core: ['core-1.cpio.zst'] }))
  const lines: Record<string, unknown>[] = []
  const at = (level: string) => (message: string, fields?: Record<string, unknown>) => {
    lines.push({ level, message, ...fields })
  }
  const refusals: string[][] = []
  let bytes = 0
  const pxe = createPxe(exampleConfig(folder, { dhcp_provider: 'none' }), {
    log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
    machineBootOf,
    onRefused: (...refusal) => void refusals.push(refusal),
    onBytes(more) {
      bytes += more
    },
  })
  await pxe.start()
  const served = Promise.withResolvers<void>()
  const server = createServer(async (request, response) => {
    if (!(await pxe.handle(request, response))) response.writeHead(404).end('not of network boot')
    served.resolve()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init)
  return { folder, ramdisk, lines, refusals, get, port, pxe, served: served.promise, bytes: () => bytes }
}

/** A path as it stands: fetch would tidy it. */
async function getRaw(port: number, path: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
  let text = ''
  for await (const chunk of socket) text += chunk
  return text
}

describe('boot scripts over HTTP', () => {
  it('are the same first one for all', async (t) => {
    const { get, lines } = await startPxe(t)

    const answer = await get('/boot.ipxe')

    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('content-type'), 'text/plain; charset=us-ascii')
    assert.match(await answer.text(), /^#!ipxe\n\necho Rackstrap: asking http:\/\/192\.168\.50\.1:8080 /)
    assert.deepEqual(lines, [{ level: 'debug', message: 'first boot script served', ip: '127.0.0.1' }])
  })

  it('are asked for by the MAC in either form, are never kept, and are told to the log', async (t) => {
    const asked: string[] = []
    const { get, lines } = await startPxe(t, (mac) => {
      asked.push(mac)
      return { kind: 'disk', node: '5f2c', name: 'n1', why: 'it is active.' }
    })

    const answers = [await get('/boot/52-54-00-12-34-56'), await get('/boot/52:54:00:12:34:AB?x=1')]

    assert.deepEqual(asked, [MAC, '52:54:00:12:34:ab'])
    assert.equal(answers[0]?.headers.get('cache-control'), 'no-store')
    assert.match((await answers[0]?.text()) ?? '', /^#!ipxe\n\nset verdict disk\n/)
    assert.deepEqual(lines[0], {
      level: 'info',
      message: 'boot script served',
      mac: MAC,
      boot: 'disk',
      node: '5f2c',
      ip: '127.0.0.1',
    })
  })

  it('tell an unknown machine so, with the MAC for the log and no node', async (t) => {
    const { get, lines } = await startPxe(t, (mac) => ({ kind: 'unknown', mac }))

    const text = await (await get('/boot/52-54-00-12-34-56')).text()

    assert.match(text, /\nset verdict unknown\n/)
    assert.deepEqual(lines, [
      { level: 'info', message: 'boot script served', mac: MAC, boot: 'unknown', ip: '127.0.0.1' },
    ])
  })

  it('become a refusal on the screen and a warning in the log when there is no ramdisk', async (t) => {
    const { get, ramdisk, lines, refusals } = await startPxe(t)
    await writeFile(join(ramdisk, 'ramdisk.json'), '{"kernel": "../../etc/shadow"}')

    const answer = await get('/boot/52-54-00-12-34-56')

    const refused = `${ramdisk}/ramdisk.json is damaged: it holds no file name as "kernel". Build the ramdisk again with "rackstrap ramdisk build --output ${ramdisk}".`
    assert.equal(answer.status, 200)
    assert.match(await answer.text(), /\necho Rackstrap: node n1 \(5f2c\) cannot be deployed\. /)
    assert.deepEqual(lines, [
      {
        level: 'warn',
        message: 'boot script served',
        mac: MAC,
        boot: 'agent',
        node: '5f2c',
        refused,
        ip: '127.0.0.1',
      },
    ])
    assert.deepEqual(refusals, [['5f2c', refused]])
  })

  it('that refuse for a moment only, or ask for another thing than the agent, end no wait', async (t) => {
    const { get, ramdisk, refusals } = await startPxe(t)
    const disk = await startPxe(t, () => ({ kind: 'disk', node: '5f2c', name: 'n1', why: 'it is active.' }))
    await rm(join(ramdisk, 'ramdisk.json'))
    await rm(join(disk.ramdisk, 'ramdisk.json'))

    await get('/boot/52-54-00-12-34-56', { method: 'HEAD' })
    await disk.get('/boot/52-54-00-12-34-56')
    const lasts = (code: string) => isLasting(new PxeError('no', { cause: Object.assign(new Error(), { code }) }))

    assert.deepEqual([refusals, disk.refusals], [[], []])
    assert.deepEqual(['EMFILE', 'EIO', 'ENOENT', 'EACCES'].map(lasts), [false, false, true, true])
  })

  it('answer HEAD with the length alone', async (t) => {
    const { get } = await startPxe(t)
    const length = (await (await get('/boot.ipxe')).text()).length

    const head = await get('/boot.ipxe', { method: 'HEAD' })

    assert.equal(head.headers.get('content-length'), String(length))
    assert.equal(await head.text(), '')
  })
})

describe('files for one machine over HTTP', () => {
  const files = [{ path: '/etc/a', content: 'secret' }]
  const withFiles: MachineBootOf = (mac) =>
    mac === MAC
      ? { kind: 'agent', node: '5f2c', name: 'n1', parameters: [], layers: [], files }
      : { kind: 'agent', node: '77aa', name: 'n2', parameters: [], layers: [] }

  it('are an archive that is never kept; the log tells that they went out, and not what they say', async (t) => {
    const { get, lines, bytes } = await startPxe(t, withFiles)

    const answer = await get('/boot/52-54-00-12-34-56.cpio')
    const body = Buffer.from(await answer.arrayBuffer())

    assert.deepEqual(body, await packMachineFiles(files))
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    const told = { mac: MAC, node: '5f2c', files: 1, bytes: body.length, ip: '127.0.0.1' }
    assert.deepEqual(lines, [{ level: 'info', message: 'machine files served', ...told }])
    assert.equal(bytes(), body.length)
  })

  it('are not there for a machine that has none, or is to boot something else', async (t) => {
    const other = await startPxe(t, withFiles)
    const disk = await startPxe(t, () => ({ kind: 'disk', node: '5f2c', name: 'n1', why: 'it is active.' }))

    const answers = [
      await other.get('/boot/52-54-00-00-00-01.cpio'),
      await other.get('/boot/.cpio'),
      await other.get('/boot/files/52-54-00-12-34-56.cpio'),
      await disk.get('/boot/52-54-00-12-34-56.cpio'),
    ]

    assert.deepEqual(
      answers.map(({ status }) => status),
      [404, 404, 404, 404],
    )
  })
})

describe('boot files over HTTP', () => {
  it('come whole, with their length and an ETag, and are told to the log and counted', async (t) => {
    const { get, lines, served, bytes } = await startPxe(t)

    const answer = await get('/boot/files/vmlinuz-1')

    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('content-length'), '10')
    assert.equal(answer.headers.get('accept-ranges'), 'bytes')
    assert.match(answer.headers.get('etag') ?? '', /^"[0-9a-f-]+"$/)
    assert.equal(await answer.text(), '0123456789')
    await served
    assert.equal(bytes(), 10)
    const [{ duration_s, ...line } = {}] = lines
    assert.deepEqual(line, {
      level: 'info',
      message: 'boot file served',
      ip: '127.0.0.1',
      name: 'vmlinuz-1',
      bytes: 10,
    })
    assert.equal(typeof duration_s, 'number')
  })

  const ranges = [
    ['bytes=0-3', 206, 'bytes 0-3/10', '0123'],
    ['bytes=7-', 206, 'bytes 7-9/10', '789'],
    ['bytes=-2', 206, 'bytes 8-9/10', '89'],
    ['bytes=-99', 206, 'bytes 0-9/10', '0123456789'],
    ['bytes=5-99', 206, 'bytes 5-9/10', '56789'],
    ['bytes=10-', 416, 'bytes */10', ''],
    ['bytes=-0', 416, 'bytes */10', ''],
    ['bytes=3-1', 200, null, '0123456789'],
    ['bytes=0-1,3-4', 200, null, '0123456789'],
    ['lines=0-1', 200, null, '0123456789'],
    ['bytes=-', 200, null, '0123456789'],
    [`bytes=${'9'.repeat(400)}-`, 200, null, '0123456789'],
  ] as const
  for (const [range, status, contentRange, body] of ranges) {
    it(`answer the range ${range.slice(0, 20)} with ${status}`, async (t) => {
      const { get } = await startPxe(t)

      const answer = await get('/boot/files/vmlinuz-1', { headers: { range } })

      assert.equal(answer.status, status)
      assert.equal(answer.headers.get('content-range'), contentRange)
      assert.equal(await answer.text(), body)
      assert.equal(answer.headers.get('content-length'), String(body.length))
    })
  }

  it('are not sent again to whom has them, and only in part to whom has the other part', async (t) => {
    const { get } = await startPxe(t)
    const etag = (await get('/boot/files/vmlinuz-1')).headers.get('etag') ?? ''

    const same = await get('/boot/files/vmlinuz-1', { headers: { 'if-none-match': `"x", W/${etag}` } })
    const other = await get('/boot/files/vmlinuz-1', { headers: { 'if-none-match': '"x"' } })
    const rest = await get('/boot/files/vmlinuz-1', { headers: { range: 'bytes=8-', 'if-range': etag } })
    const changed = await get('/boot/files/vmlinuz-1', { headers: { range: 'bytes=8-', 'if-range': '"x"' } })

    assert.deepEqual([same.status, await same.text()], [304, ''])
    assert.deepEqual([other.status, await other.text()], [200, '0123456789'])
    assert.deepEqual([rest.status, await rest.text()], [206, '89'])
    assert.deepEqual([changed.status, await changed.text()], [200, '0123456789'])
  })

  it('answer HEAD with what GET would say, without the file', async (t) => {
    const { get, lines } = await startPxe(t)

    const head = await get('/boot/files/vmlinuz-1', { method: 'HEAD' })

    assert.equal(head.status, 200)
    assert.equal(head.headers.get('content-length'), '10')
    assert.equal(await head.text(), '')
    assert.deepEqual(lines, [])
  })

  it('come without a byte changed when they are larger than what is read at once', async (t) => {
    const { get, ramdisk } = await startPxe(t)
    const content = Buffer.from(Uint32Array.from({ length: 700_001 }, (_, index) => index * 2_654_435_761).buffer)
    await writeFile(join(ramdisk, 'big'), content)

    const whole = Buffer.from(await (await get('/boot/files/big')).arrayBuffer())
    const part = Buffer.from(
      await (await get('/boot/files/big', { headers: { range: 'bytes=1000001-2000000' } })).arrayBuffer(),
    )

    assert.ok(whole.equals(content))
    assert.ok(part.equals(content.subarray(1_000_001, 2_000_001)))
  })

  it('are there while they are being replaced: an older one that still lies there, and an empty one', async (t) => {
    const { get, ramdisk } = await startPxe(t)
    await writeFile(join(ramdisk, 'vmlinuz-0'), 'older')
    await writeFile(join(ramdisk, 'empty'), '')

    assert.equal(await (await get('/boot/files/vmlinuz-0')).text(), 'older')
    const empty = await get('/boot/files/empty')
    assert.deepEqual([empty.status, empty.headers.get('content-length')], [200, '0'])
  })

  it('hold iPXE itself for UEFI HTTP boot', async (t) => {
    const { get, folder } = await startPxe(t)
    await mkdir(join(folder, 'ipxe'))
    await writeFile(join(folder, 'ipxe/snponly.efi'), 'iPXE')

    assert.equal(await (await get('/boot/files/snponly.efi')).text(), 'iPXE')
  })

  it('are not served from anywhere else, nor while they are written', async (t) => {
    const { port, lines, folder, ramdisk } = await startPxe(t)
    await mkdir(join(ramdisk, 'folder'))
    await symlink(join(folder, 'none'), join(ramdisk, 'dangling'))

    for (const name of [
      '../secret',
      '..%2fsecret',
      '%2e%2e/secret',
      '..%5csecret',
      '/etc/passwd',
      '%2fetc%2fpasswd',
      '.hidden',
      'ramdisk.json',
      'folder',
      'folder/x',
      'dangling',
      'none',
      'vmlinuz-1%00',
      'vmlinuz-1/',
      '%zz',
      '',
      'x'.repeat(300),
    ]) {
      assert.match(await getRaw(port, `/boot/files/${name}`), /^HTTP\/1\.1 404 /, name)
    }
    assert.deepEqual(
      lines.map(({ level, message, name }) => [level, message, name]),
      ['folder', 'dangling', 'none'].map((name) => ['warn', 'boot file is missing', name]),
    )
  })

  it('are told as not taken whole when the machine goes away', async (t) => {
    const { port, lines, served, ramdisk } = await startPxe(t)
    await writeFile(join(ramdisk, 'big'), '')
    await truncate(join(ramdisk, 'big'), 256 * 1024 * 1024)

    const socket = connect(port, '127.0.0.1')
    socket.write('GET /boot/files/big HTTP/1.1\r\nhost: x\r\n\r\n')
    await once(socket, 'data')
    socket.destroy()
    await served

    const [line] = lines
    assert.equal(lines.length, 1)
    assert.deepEqual([line?.level, line?.message, line?.name], ['warn', 'boot file not taken whole', 'big'])
    assert.ok(Number(line?.bytes) < 256 * 1024 * 1024)
  })
})

describe('network boot without dnsmasq', () => {
  it('serves by HTTP, is healthy, and leaves every other path to others', async (t) => {
    const { get, pxe } = await startPxe(t)

    for (const path of [
      '/',
      '/boot',
      '/boot/',
      '/boot/nonsense',
      '/boot/52-54-00-12-34',
      '/boot.ipxe/x',
      '/images/x',
    ]) {
      const answer = await get(path)
      assert.deepEqual([answer.status, await answer.text()], [404, 'not of network boot'], path)
    }
    assert.deepEqual(await pxe.health(), { healthy: true })
    await pxe.stop()
  })
})
