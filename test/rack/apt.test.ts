/** What a person sees while apt works: a real shell, and an apt-get that says what apt says. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'

/** Tells at once instead of every ten seconds; takes a silence of one second for a long one. */
function aptGet(t: TestContext, says: string) {
  const folder = mkdtempSync(join(tmpdir(), 'rackstrap-apt-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const log = join(folder, 'log')
  writeFileSync(join(folder, 'apt-get'), `#!/bin/sh\n${says}\n`, { mode: 0o755 })
  const script = [
    'set -euo pipefail',
    'say() { echo "rackstrap: $*"; }',
    `as_root= log=${log}`,
    `. ${join(import.meta.dirname, 'apt')}`,
    'apt_tell_s=0 apt_silent_s=1',
    'apt_get install mtools || echo "status $?"',
  ]
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script.join('\n')], {
    env: { PATH: `${folder}:${process.env.PATH}` },
    encoding: 'utf8',
    timeout: 30_000,
  })
  return { stdout, stderr, log: readFileSync(log, 'utf8') }
}

describe('apt-get under npm run rack', () => {
  it('tells what is downloaded and how far the installation is, and keeps the rest for the log', (t) => {
    const { stdout, stderr, log } = aptGet(
      t,
      `cat <<'END'
Reading package lists...
2 upgraded, 210 newly installed, 0 to remove and 3 not upgraded.
Need to get 12.3 MB/310 MB of archives.
dlstatus:1:0.0458:Retrieving file 1 of 212 (12s remaining)
Get:1 http://debian.invalid/debian bookworm/main amd64 mtools amd64 4.0.33 [132 kB]
pmstatus:mtools:37.5:Unpacking mtools (amd64)
Setting up mtools (4.0.33) ...
END`,
    )

    assert.equal(
      stdout,
      `rackstrap: downloading 212 Debian packages (12.3 MB/310 MB) ...
rackstrap: Retrieving file 1 of 212 (12s remaining)
rackstrap: installing 212 Debian packages, 37 %: Unpacking mtools (amd64)
`,
    )
    assert.equal(stderr, '')
    assert.equal(
      log,
      `Reading package lists...
2 upgraded, 210 newly installed, 0 to remove and 3 not upgraded.
Need to get 12.3 MB/310 MB of archives.
Get:1 http://debian.invalid/debian bookworm/main amd64 mtools amd64 4.0.33 [132 kB]
Setting up mtools (4.0.33) ...
`,
    )
  })

  it('says so when nothing is heard for long, and loses nothing of what then comes', (t) => {
    const { stdout, log } = aptGet(t, 'echo "Waiting for cache lock"; printf half; sleep 1.5; echo " a line"')

    assert.equal(stdout, 'rackstrap: apt-get is still at work, at this: Waiting for cache lock\n')
    assert.equal(log, 'Waiting for cache lock\nhalf a line\n')
  })

  it('hands on the status of a failure, and its words', (t) => {
    const { stdout, log } = aptGet(t, 'echo "E: Unable to locate package mtools" >&2; exit 100')

    assert.equal(stdout, 'status 100\n')
    assert.equal(log, 'E: Unable to locate package mtools\n')
  })

  it('asks apt for its status, and for nothing but words that it can read', (t) => {
    const { log } = aptGet(t, 'echo "$LC_ALL $DEBIAN_FRONTEND $*"')

    assert.equal(log, 'C.UTF-8 noninteractive -q -o DPkg::Lock::Timeout=300 -o APT::Status-Fd=1 install mtools\n')
  })
})
