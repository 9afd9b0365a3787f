/** The unit, as systemd itself judges it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'

const UNIT = join(import.meta.dirname, '../../systemd/rackstrap.service')
/** In tenths. */
const EXPOSURE_LIMIT = 20

const analyze = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8', timeout: 30_000 })
const isInstalled = analyze('--version').status === 0

describe('the unit of the appliance', { skip: !isInstalled && 'systemd-analyze is not installed' }, () => {
  it('is exposed by at most 2.0 of 10', () => {
    const { status, stdout } = analyze(
      'security',
      '--offline=true',
      `--threshold=${EXPOSURE_LIMIT}`,
      '--no-pager',
      UNIT,
    )

    assert.equal(status, 0, stdout)
    assert.match(stdout, /Overall exposure level for rackstrap\.service: [012]\.\d OK/)
  })

  it('has no word that systemd does not know', () => {
    const { stderr } = analyze('verify', '--man=no', UNIT)

    assert.doesNotMatch(stderr, /Unknown|Failed to parse|ignoring/i)
  })

  it('allows what the appliance confines its children by', () => {
    const { status, stdout } = analyze('security', '--offline=true', '--no-pager', UNIT)

    assert.equal(status, 0)
    assert.match(stdout, /✓ SystemCallFilter=~@privileged/)
    assert.match(
      readFileSync(UNIT, 'utf8'),
      /^SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self$/m,
    )
  })

  it('lets the main process alone speak, and dumps no memory', () => {
    const lines = readFileSync(UNIT, 'utf8').split('\n')

    for (const line of ['NotifyAccess=main', 'LimitCORE=0', 'NoNewPrivileges=yes'])
      assert.ok(lines.includes(line), line)
  })
})
