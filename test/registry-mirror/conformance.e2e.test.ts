/**
 * The official conformance suite of the distribution specification, built by the Go toolchain. Skipped, and loudly
 * so, where that is missing.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { cached } from '../rack/cache.ts'
import { go, goEnvironment, withoutGo } from '../rack/go.ts'
import { suiteRegistry, temporaryFolder } from './registry.ts'

const execute = promisify(execFile)
/** The newest one of 2026-11. */
const VERSION = 'v0.0.0-20260831232431-97274622c111'
const BUILD_DEADLINE_MS = 300_000
const RUN_DEADLINE_MS = 120_000
const skip = withoutGo('CONFORMANCE')

function conformanceSuite(): Promise<string> {
  return cached('oci-conformance', VERSION, async (folder) => {
    await mkdir(folder, { recursive: true })
    await execute(String(go), ['install', `github.com/opencontainers/distribution-spec/conformance@${VERSION}`], {
      env: { ...goEnvironment(), GOBIN: folder },
      timeout: BUILD_DEADLINE_MS,
    })
  })
}

type Outcome = { counts: Record<string, number>; notPassed: string[] }

/** @param env  what differs from the suite's own settings */
async function run(port: number, results: string, env: Record<string, string>): Promise<Outcome> {
  const program = join(await conformanceSuite(), 'conformance')
  const settings = { OCI_REGISTRY: `127.0.0.1:${port}`, OCI_TLS: 'disabled', OCI_RESULTS_DIR: results }
  const { stdout } = await execute(program, {
    env: { ...settings, ...env },
    cwd: results,
    timeout: RUN_DEADLINE_MS,
    maxBuffer: 64 * 1024 * 1024,
  }).catch((error: { stdout: string }) => error)
  const counts = Object.fromEntries(
    [...stdout.matchAll(/^ {2}(Pass|FAIL|Error|Skip|Disabled|Total)\.*: +(\d+)$/gm)].map(([, what, n]) => [
      what,
      Number(n),
    ]),
  )
  const report = readFileSync(join(results, 'junit.xml'), 'utf8')
  const cases = [...report.matchAll(/<testcase name="([^"]*)"[^>]*status="([^"]*)"/g)]
  return {
    counts,
    notPassed: cases.flatMap(([, name = '', status]) => (status === 'passed' ? [] : [`${status}: ${name}`])),
  }
}

describe('the conformance suite of OCI distribution', { skip }, () => {
  const registry = suiteRegistry()

  for (const [what, env] of [
    ['1.1, with all workflows', { OCI_VERSION: '1.1' }],
    ['the next version: digest headers, cancelled uploads, tag parameters', { OCI_VERSION: 'dev' }],
    [
      'the older names of its settings',
      {
        OCI_TEST_PULL: '1',
        OCI_TEST_PUSH: '1',
        OCI_TEST_CONTENT_DISCOVERY: '1',
        OCI_TEST_CONTENT_MANAGEMENT: '1',
        OCI_CROSSMOUNT_NAMESPACE: 'conformance/mounted',
      },
    ],
  ] as const)
    it(`passes ${what}`, { timeout: BUILD_DEADLINE_MS + RUN_DEADLINE_MS }, async (t) => {
      const { counts, notPassed } = await run(registry.port, temporaryFolder(t), env)

      t.diagnostic(JSON.stringify(counts))
      assert.deepEqual(
        notPassed.filter((one) => !one.startsWith('skipped') && !one.startsWith('disabled')),
        [],
      )
      const { Pass = 0, Total, ...others } = counts
      assert.ok(Pass > 850, `${Pass} checks passed`)
      assert.deepEqual([others.FAIL, others.Error, Pass + Number(others.Skip) + Number(others.Disabled)], [0, 0, Total])
    })
})
