/** What an operator reads of the registry: the tables, and the program itself with and without a registry that runs. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { renderCounts, renderList, renderStatus } from '../../../appliance/cli/registry-tables.ts'
import { startChild } from '../../bench/child.ts'

const CLI = join(import.meta.dirname, '../../../appliance/cli.ts')
const execute = promisify(execFile)
const DIGEST = `sha256:${'0'.repeat(64)}`

describe('the status of a registry', () => {
  it('tells how full it is, what is pinned, and how jobs and upstreams are', () => {
    const text = renderStatus({
      storage_path: '/var/lib/rackstrap/registry',
      repositories: 2,
      used_bytes: 3 * 1024 ** 3,
      quota_bytes: 10 * 1024 ** 3,
      uploads: 1,
      pins: { 'docker.io/library/debian:12': '2026-11-25T12:00:00.000Z', app: '2026-11-25T12:00:00.000Z' },
      holds: Object.fromEntries(
        ['node:a', 'node:b'].map((owner) => [owner, [{ repository: 'quay.io/org/app', digest: DIGEST, tag: 'v1' }]]),
      ),
      jobs: [
        {
          name: 'gc',
          interval_s: 86400,
          running: false,
          last_run: '2026-11-25T02:00:00.123Z',
          next_run: '2026-11-26T02:00:00.123Z',
          duration_s: 1,
          result: 'blobs_removed 3',
          failed: false,
        },
        { name: 'scrub', interval_s: 0, running: true, progress: { blobs: 7, bytes: 2048 } },
        { name: 'evict', interval_s: 0, running: false, last_run: '2026-11-25T02:00:00Z', result: 'EIO', failed: true },
      ],
      upstreams: [
        {
          name: 'docker.io',
          url: 'https://registry.example/',
          state: 'unreachable',
          reason: 'no route to host',
          hits: 10,
          misses: 2,
          stale: 1,
          blob_bytes: 1024,
        },
      ],
    })

    assert.equal(
      text,
      `Storage       /var/lib/rackstrap/registry
Content       3.0 GiB, of 10.0 GiB
Repositories  2
Uploads       1 under way
Held          quay.io/org/app:v1 (by 2 nodes)
Pinned        app, docker.io/library/debian:12

JOB    LAST RUN              NEXT RUN              RESULT
gc     2026-11-25T02:00:00Z  2026-11-26T02:00:00Z  blobs_removed 3
scrub  -                     -                     running: blobs 7, read 2.0 KiB
evict  2026-11-25T02:00:00Z  -                     failed: EIO

UPSTREAM   STATE        HITS  MISSES  STALE  RECEIVED  REASON
docker.io  unreachable  10    2       1      1.0 KiB   no route to host
`,
    )
  })
})

describe('the list of a registry', () => {
  it('tells size, origin, pin and last use of each image', () => {
    const pulled = { repository: 'up/app', digest: DIGEST, size_bytes: 5, origin: 'pulled', pinned: false } as const

    assert.equal(
      renderList([
        {
          ...pulled,
          repository: 'app',
          tag: 'v1',
          origin: 'pushed',
          pinned: true,
          last_used: '2026-11-25T12:00:00.5Z',
        },
        pulled,
      ]),
      `IMAGE${' '.repeat(75)}SIZE     ORIGIN  PINNED  LAST USED
app:v1${' '.repeat(74)}5 bytes  pushed  yes     2026-11-25T12:00:00Z
up/app@${DIGEST}${' '.repeat(2)}5 bytes  pulled  no      -
`,
    )
    assert.equal(renderList([]), 'Nothing is kept there.\n')
  })
})

describe('what a job did', () => {
  it('is told in words', () => {
    assert.equal(renderCounts({ blobs_removed: 2, bytes_freed: 2048 }), 'blobs removed 2, freed 2.0 KiB')
  })
})

describe('rackstrap registry', () => {
  const configFile = (t: TestContext) => {
    const folder = mkdtempSync(join(tmpdir(), 'rackstrap-registry-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'rackstrap.conf')
    writeFileSync(path, `[DEFAULT]\nstate_path = ${folder}\n[registry]\nport = 0\nmin_free = 0\n`)
    return path
  }
  const rackstrap = async (...args: string[]) =>
    (await execute(process.execPath, [CLI, 'registry', ...args], { timeout: 30_000 })).stdout

  it('asks the registry that runs, and works on its folder when none does', async (t) => {
    const config = ['--config', configFile(t)]
    const child = startChild([CLI, 'registry', 'serve', ...config])
    await child.told('registry listens')

    const pinned = await rackstrap('pin', 'app:v1', ...config)
    await child[Symbol.asyncDispose]()
    const again = await rackstrap('pin', 'app:v1', ...config)

    assert.equal(pinned, 'app:v1 is pinned now.\n')
    assert.equal(again, 'app:v1 was pinned already.\n')
  })

  it('refuses in one sentence', async (t) => {
    await assert.rejects(rackstrap('gc', '--grace', 'soon', '--config', configFile(t)), {
      stderr: "rackstrap: 'soon' is no whole number.\n",
    })
  })
})
