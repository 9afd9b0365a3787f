/** Tests that others wrote in Python, from PyPI in pinned versions, run against an appliance. */
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cached } from '../rack/cache.ts'
import { run } from '../rack/run-program.ts'

export type Told = {
  /** As Python names it: module, class, method. */
  id: string
  outcome: 'passed' | 'failed' | 'skipped'
  /** Why it was skipped, or what it died of. */
  reason: string
  seconds: number
}
type Suite = {
  /** Python of a virtual environment that has them. */
  python: string
  /** Packages that hold the tests, e.g. openstack.tests.functional.baremetal. */
  packages: readonly string[]
  env: NodeJS.ProcessEnv
  /** Classes of tests at one time: they wait for the appliance most of the time. */
  jobs: number
  timeout_s: number
}

const INSTALL_DEADLINE_S = 600
const RUNNER = join(import.meta.dirname, 'run_suite.py')
const WORDS = 400

/** @param requirements  a file beside this one, all of it pinned. @throws CommandFailed  PyPI does not give them */
export async function ensurePython(requirements: string, signal: AbortSignal): Promise<string> {
  const file = join(import.meta.dirname, requirements)
  const digest = createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
    .slice(0, 12)
  const name = requirements.replace(/\.txt$/, '')
  const folder = await cached(`python-${name}`, digest, async (work) => {
    const limits = { signal, timeout_s: INSTALL_DEADLINE_S }
    await run('python3', ['-m', 'venv', work], limits)
    const pip = [
      '-m',
      'pip',
      '--quiet',
      '--disable-pip-version-check',
      '--no-input',
      'install',
      '--no-deps',
      '--no-compile',
    ]
    await run(join(work, 'bin/python'), [...pip, '-r', file], limits)
  })
  return join(folder, 'bin/python')
}

/** @throws CommandFailed  the runner itself failed: no test does that */
export async function runSuite(suite: Suite, signal: AbortSignal): Promise<Told[]> {
  const folder = await mkdtemp(join(tmpdir(), 'python-suite-'))
  try {
    const out = join(folder, 'told.jsonl')
    const args = [RUNNER, '--jobs', String(suite.jobs), '--out', out, ...suite.packages]
    const env = { ...process.env, ...suite.env, PYTHONWARNINGS: 'ignore' }
    await run(suite.python, args, { env, signal, timeout_s: suite.timeout_s, cwd: folder })
    const lines = (await readFile(out, 'utf8')).trim().split('\n')
    return lines.map((line) => JSON.parse(line) as Told).sort((one, other) => (one.id < other.id ? -1 : 1))
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** For a person: the names, and of each the last words. */
export const failures = (told: readonly Told[]): string =>
  told
    .filter(({ outcome }) => outcome === 'failed')
    .map(({ id, reason }) => `${id}: ${reason.trim().split('\n').at(-1)?.slice(0, WORDS)}`)
    .join('\n')

export const counts = (told: readonly Told[]): Record<Told['outcome'], number> => {
  const of = (outcome: Told['outcome']) => told.filter((one) => one.outcome === outcome).length
  return { passed: of('passed'), failed: of('failed'), skipped: of('skipped') }
}
