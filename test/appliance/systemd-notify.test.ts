/** systemd's side of the notification is a real datagram socket, held by a small Python reader. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { createLog } from '../../appliance/log.ts'
import { createSystemdNotify } from '../../appliance/systemd-notify.ts'

const READER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print('bound', flush=True)
while True:
    for line in s.recv(4096).decode().splitlines(): print(line, flush=True)
`

describe('systemd notification', () => {
  const folder = mkdtempSync(join(tmpdir(), 'notify-'))
  const socket = join(folder, 'notify.sock')
  let reader: ChildProcess
  let lines: AsyncIterator<string>
  const log = createLog('error', () => {})

  before(async () => {
    reader = spawn('python3', ['-c', READER, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
    assert.ok(reader.stdout)
    lines = createInterface({ input: reader.stdout })[Symbol.asyncIterator]()
    assert.equal((await lines.next()).value, 'bound')
  })
  after(() => {
    reader.kill()
    rmSync(folder, { recursive: true })
  })

  const until = async (wanted: string) => {
    for (let seen = 0; seen < 20; seen++) {
      const { value } = await lines.next()
      if (value === wanted) return
    }
    assert.fail(`systemd never heard ${wanted}`)
  }

  it('tells that the appliance is ready, with a status line', { timeout: 10_000 }, async () => {
    using notify = createSystemdNotify({ NOTIFY_SOCKET: socket }, log, () => true)

    await notify.ready('serving')

    await until('READY=1')
    await until('STATUS=serving')
  })

  it('pings the watchdog three times a period while the appliance is healthy', { timeout: 10_000 }, async () => {
    using _notify = createSystemdNotify({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: '600000' }, log, () => true)

    await until('WATCHDOG=1')
    await until('WATCHDOG=1')
  })

  it('keeps the ping back, and says so in the log, when the appliance is not healthy', {
    timeout: 10_000,
  }, async () => {
    const { promise, resolve } = Promise.withResolvers<string>()
    using notify = createSystemdNotify(
      { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '150000' },
      createLog('error', resolve),
      () => false,
    )

    assert.match(await promise, /watchdog ping kept back/)

    await notify.stopping()
    await until('STOPPING=1')
  })

  it('does nothing where systemd did not start it', async () => {
    using notify = createSystemdNotify(
      {},
      createLog('warn', (line) => assert.fail(line)),
      () => true,
    )

    await notify.ready('serving')
  })
})
