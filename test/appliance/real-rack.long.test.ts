/** README, "On a real rack": its very commands in a fresh Debian, up to what needs steel. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { type DebianBox, installDebian, readUnit, type Suite } from '../rack/debian-box/box.ts'
import { commandsIn } from './readme-commands.ts'

const CHECKOUT = join(import.meta.dirname, '../..')
const TIMEOUT_MS = 45 * 60_000
const BLOCK_DEADLINE_S = 1200
const REPOSITORY = 'file:///mnt/rackstrap.git'
const UNIT = '/etc/systemd/system/rackstrap.service'

/**
 * Where each block of the section runs; the next one needs steel. A block more or less is a reader's command that
 * nobody tried.
 */
const PLACES = ['site', 'site', 'site', 'rack', 'rack', 'rack'] as const

describe('the way onto a real rack that the README tells', { timeout: 2 * TIMEOUT_MS, concurrency: 1 }, () => {
  for (const suite of ['bookworm', 'trixie'] as const) {
    it(`works as it stands on a fresh Debian (${suite}), up to what needs steel`, { timeout: TIMEOUT_MS }, (t) =>
      follow(t, suite),
    )
  }
})

async function follow(t: TestContext, suite: Suite): Promise<void> {
  const [install = '', account = '', ramdisk = '', configure = '', start = '', enroll = '', steel = ''] = await blocks()
  const box = await installDebian(suite, CHECKOUT, t.signal)
  t.after(() => box.remove())
  const type = (script: string, where: 'site' | 'rack') => {
    t.diagnostic(`${new Date().toISOString()} ${script.split('\n')[0]}`)
    return box.run(script, where, { signal: t.signal, timeout_s: BLOCK_DEADLINE_S })
  }

  await type(install.replace(' URL ', ` ${REPOSITORY} `), PLACES[0])
  await type(account, PLACES[1])
  await type(ramdisk, PLACES[2])
  const checked = await type(configure, PLACES[3])
  const [enable = '', health = ''] = start.trim().split('\n')
  await type(enable, PLACES[4])
  const enrolled = await withUnit(box, t, (served) =>
    type(
      `${served}\n${health}\n${enroll}\nbaremetal node show n1 -f value -c provision_state -c deploy_interface`,
      PLACES[5],
    ),
  )

  assert.match(steel, /^baremetal node manage n1 --wait$/m)
  assert.match(checked, /^\[api\]\nhost_ip = 127\.0\.0\.1$/m)
  assert.match(await type('systemctl is-enabled rackstrap', 'site'), /^enabled$/m)
  assert.match(enrolled, /"status":"ok"/)
  assert.match(enrolled, /\| power +\| True/)
  assert.match(enrolled, /\| boot +\| True/)
  assert.match(enrolled, /\| deploy +\| False .*instance_info\.image_source/)
  assert.match(enrolled, /direct\nenroll\n$|enroll\ndirect\n$/)
  assert.match(await type('stat -c "%U %a" /var/lib/rackstrap /etc/rackstrap', 'site'), /^rackstrap 750\nroot 750\n$/)
}

async function blocks(): Promise<string[]> {
  const found = commandsIn(await readFile(join(CHECKOUT, 'README.md'), 'utf8'), 'On a real rack')
  assert.match(found[PLACES.length] ?? '', /baremetal node manage/, 'the first block that needs steel is the seventh')
  return found
}

/**
 * As systemd would: the unit's account, its capabilities and no others.
 * @param act  is given lines that wait until it answers
 */
async function withUnit<T>(box: DebianBox, t: TestContext, act: (served: string) => Promise<T>): Promise<T> {
  const { ExecStart = '', User = '', Group = '', AmbientCapabilities = '', UMask = '' } = await readUnit(box, UNIT)
  const capabilities = AmbientCapabilities.split(' ')
    .map((name) => `+${name.replace(/^CAP_/, '').toLowerCase()}`)
    .join(',')
  const stop = new AbortController()
  let log = ''
  const unit = box
    .run(
      `install -d -o ${User} -g ${Group} /var/cache/rackstrap\ncd /\numask ${UMask}\nexport CACHE_DIRECTORY=/var/cache/rackstrap\n` +
        `exec setpriv --reuid=${User} --regid=${Group} --init-groups --no-new-privs --bounding-set=-all,${capabilities} --inh-caps=-all,${capabilities} --ambient-caps=${capabilities} ${ExecStart}\n`,
      'rack',
      {
        signal: AbortSignal.any([stop.signal, t.signal]),
        timeout_s: BLOCK_DEADLINE_S,
        onOutput: (text) => (log += text),
      },
    )
    .catch(() => {
      // It is ended below; what it said is shown when the test fails.
    })
  try {
    return await act(
      'for i in {1..120}; do curl -sf -o /dev/null http://127.0.0.1:6385/healthz && break; sleep 1; done',
    )
  } catch (error) {
    t.diagnostic(log.slice(-4000))
    throw error
  } finally {
    stop.abort()
    await unit
  }
}
