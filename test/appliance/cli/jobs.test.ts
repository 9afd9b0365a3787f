/** What an operator reads of the jobs, and the program itself with and without something that runs. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { renderJobs } from '../../../appliance/cli/jobs-table.ts'
import { startChild } from '../../bench/child.ts'

const CLI = join(import.meta.dirname, '../../../appliance/cli.ts')
const execute = promisify(execFile)

describe('the list of jobs', () => {
  it('tells when each runs, how its last run ended, and when the next begins', () => {
    const text = renderJobs([
      { name: 'check-deadlines', interval_s: 59, running: false, next_run: '2026-11-26T02:00:00.123Z' },
      {
        name: 'gc',
        interval_s: 86_400,
        at: '0 2 * * *',
        running: false,
        last_run: '2026-11-25T02:00:00.123Z',
        next_run: '2026-11-26T02:00:00.000Z',
        duration_s: 1.5,
        result: 'blobs_removed 3',
        failed: false,
      },
      { name: 'scrub', interval_s: 5400, running: true, progress: { blobs: 7, bytes: 2048 } },
      { name: 'evict', interval_s: 0, running: false, last_run: '2026-11-25T02:00:00Z', result: 'EIO', failed: true },
      { name: 'ok', interval_s: 86_400, running: false, last_run: '2026-11-25T02:00:00Z', result: '', failed: false },
    ])

    assert.equal(
      text,
      `JOB              WHEN          LAST RUN              DURATION  NEXT RUN              RESULT
check-deadlines  every 59 s    -                     -         2026-11-26T02:00:00Z  -
gc               0 2 * * *     2026-11-25T02:00:00Z  1.5 s     2026-11-26T02:00:00Z  blobs_removed 3
scrub            every 90 min  -                     -         -                     running: blobs 7, read 2.0 KiB
evict            by hand       2026-11-25T02:00:00Z  -         -                     failed: EIO
ok               every 1 d     2026-11-25T02:00:00Z  -         -                     done
`,
    )
  })
})

describe('rackstrap jobs', () => {
  const configFile = (t: TestContext) => {
    const folder = mkdtempSync(join(tmpdir(), 'rackstrap-jobs-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'rackstrap.conf')
    writeFileSync(path, `[DEFAULT]\nstate_path = ${folder}\n[registry]\nport = 0\nmin_free = 0\ntls = off\n`)
    return { folder, path }
  }
  const jobs = async (...args: string[]) =>
    (await execute(process.execPath, [CLI, 'jobs', ...args], { timeout: 60_000 })).stdout

  it('lists those of a registry mirror that runs alone', async (t) => {
    const config = ['--config', configFile(t).path]
    await using child = startChild([CLI, 'registry', 'serve', ...config])
    await child.told('registry listens')

    const listed = JSON.parse(await jobs('list', '--json', ...config)) as { name: string }[]

    assert.deepEqual(
      listed.map(({ name }) => name),
      ['renew-certificate', 'gc', 'scrub', 'evict'],
    )
  })

  it('lists and runs those of an appliance and of its registry mirror as one list', async (t) => {
    const { folder, path } = configFile(t)
    const more =
      '[registry]\nenabled = True\n[api]\nhost_ip = 127.0.0.1\nport = 0\n[deploy]\nhttp_url = http://127.0.0.1:0\n'
    writeFileSync(path, `${readFileSync(path, 'utf8')}${more}`)
    await using child = startChild([CLI, 'serve', '--config', path])
    const { api } = await child.told('listening')

    const ran = await jobs('run', 'scrub', '--config', path)
    const table = await jobs('list', '--config', path)
    const metrics = await (await fetch(`${api}/metrics`)).text()

    assert.match(ran, /^scrub: blobs 0, /)
    const names = table.split('\n').map((line) => line.split(' ')[0])
    assert.deepEqual(names, [
      'JOB',
      'check-deadlines',
      'sync-power-states',
      'recover-power-failures',
      'renew-certificate',
      'gc',
      'scrub',
      'evict',
      '',
    ])
    assert.match(table, /^scrub +every .*Z +[\d.]+ s .* blobs 0,/m)
    assert.match(metrics, /^# TYPE rackstrap_job_failed gauge$/m)
    assert.match(metrics, /^rackstrap_registry_job_failed\{job="scrub"\} 0$/m)
    assert.equal(statSync(join(folder, 'jobs.sock')).mode & 0o777, 0o600)
  })

  it('says what to do when nothing runs', async (t) => {
    const { folder, path } = configFile(t)

    await assert.rejects(jobs('list', '--config', path), {
      code: 1,
      stderr: `rackstrap: No appliance runs on ${folder} ([DEFAULT] state_path): start it with rackstrap serve, or name its configuration by --config.\n`,
    })
  })
})
