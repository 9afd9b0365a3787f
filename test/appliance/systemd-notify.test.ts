/**
 * systemd's side of the notification is a real datagram socket, held by a small Python reader that looks who sent what,
 * as systemd does. The sender is started as appliance/rackstrap starts the appliance.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, afterEach, before, describe, it } from 'node:test'
import { createLog } from '../../appliance/log.ts'
import { createSystemdNotify } from '../../appliance/systemd-notify.ts'

const APPLIANCE = join(import.meta.dirname, '../../appliance')

const READER = `
import socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print('bound', flush=True)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
while True:
    text, (credentials,), *_ = s.recvmsg(4096, 64)
    for line in text.decode().splitlines(): print(struct.unpack('iii', credentials[2])[0], line, flush=True)
`

/** Says what it has logged, and stays until its standard input ends. */
const sender = (lines: string) => `
  import { spawnSync } from 'node:child_process'
  import { createLog } from '${APPLIANCE}/log.ts'
  import { createSystemdNotify } from '${APPLIANCE}/systemd-notify.ts'
  const log = createLog('warn', (line) => console.log(line))
  process.stdin.resume()
  ${lines}`

describe('systemd notification', { timeout: 30_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'notify-'))
  const socket = join(folder, 'notify.sock')
  const children: ChildProcess[] = []
  let reader: ChildProcess
  let heard: AsyncIterator<string>

  before(async () => {
    reader = spawn('python3', ['-c', READER, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
    heard = linesOf(reader)
    assert.equal((await heard.next()).value, 'bound')
  })
  afterEach(() => {
    for (const child of children.splice(0)) child.stdin?.end()
  })
  after(() => {
    reader.kill()
    rmSync(folder, { recursive: true })
  })

  function start(lines: string, more: Record<string, string> = {}): ChildProcess {
    const program = ['--disable-warning=ExperimentalWarning', '--input-type=module-typescript', '--eval', sender(lines)]
    const child = spawn(join(APPLIANCE, 'notify-socket'), [process.execPath, ...program], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH, NOTIFY_SOCKET: socket, ...more },
      cwd: '/',
    })
    children.push(child)
    return child
  }
  async function until(wanted: string, { pid }: ChildProcess) {
    for (let seen = 0; seen < 20; seen++) {
      const { value } = await heard.next()
      if (value === `${pid} ${wanted}`) return
    }
    assert.fail(`systemd never heard ${wanted} from process ${pid}`)
  }

  it('tells that the appliance is ready, with a status line, as the process that systemd started', async () => {
    const child = start("await createSystemdNotify(process.env, log, () => true).ready('serving')")

    await until('READY=1', child)
    await until('STATUS=serving', child)
  })

  it('pings the watchdog three times a period while the appliance is healthy', async () => {
    const child = start('createSystemdNotify(process.env, log, () => true)', { WATCHDOG_USEC: '600000' })

    await until('WATCHDOG=1', child)
    await until('WATCHDOG=1', child)
  })

  it('keeps the ping back, and says so in the log, when the appliance is not healthy', async () => {
    const child = start(
      `const notify = createSystemdNotify(process.env, log, () => false)
       process.stdin.once('end', () => notify.stopping())`,
      { WATCHDOG_USEC: '150000' },
    )

    assert.match((await linesOf(child).next()).value ?? '', /watchdog ping kept back/)

    child.stdin?.end()
    await until('STOPPING=1', child)
  })

  it('hands no child the socket of systemd', async () => {
    const child = start(
      "console.log(spawnSync('sh', ['-c', '(echo WATCHDOG=1 >&' + process.env.RACKSTRAP_NOTIFY_FD + ') 2>&1']).stdout.toString())",
    )

    assert.match((await linesOf(child).next()).value ?? '', /Bad file descriptor/)
  })

  it('says what to do when the appliance was started without that socket', async () => {
    const { promise, resolve } = Promise.withResolvers<string>()
    using notify = createSystemdNotify({ NOTIFY_SOCKET: socket }, createLog('warn', resolve), () => true)

    await notify.ready('serving')

    assert.match(await promise, /was not started by appliance\/rackstrap, which opens the socket of systemd/)
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

function linesOf({ stdout }: ChildProcess): AsyncIterator<string> {
  assert.ok(stdout)
  return createInterface({ input: stdout })[Symbol.asyncIterator]()
}
