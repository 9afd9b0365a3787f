/**
 * `rackstrap jobs ...`: what the appliance, or a registry mirror that runs alone, does by itself; and a run of it
 * now.
 */
import type { JobState } from '@appliance/ground/jobs'
import type { Command } from 'commander'
import { ApplianceError } from '../errors.ts'
import { askForJobs, unknownJob } from '../jobs/jobs-socket.ts'
import { createLog } from '../log.ts'
import { thisBox } from '../serve/box.ts'
import { loadSettings } from '../serve/settings.ts'
import { renderJobs } from './jobs-table.ts'
import { clearProgress, jsonOf, print, showProgress } from './output.ts'
import { renderCounts } from './registry-tables.ts'

type Options = { config?: string; json?: boolean }
/** A program that runs: the folder of its socket, and its jobs. */
type Program = { folder: string; jobs: readonly JobState[] }

/** An appliance, a registry mirror alone, or both side by side. @throws ApplianceError  neither runs */
async function programs({ config: path }: Options): Promise<Program[]> {
  const { config, registry } = await loadSettings(path, thisBox, () => createLog('error', () => {}))
  const { state_path } = config.DEFAULT
  const found: Program[] = []
  for (const folder of [state_path, registry.storage_path]) {
    const answer = await askForJobs(folder, { ask: 'list' })
    if (answer !== undefined && 'jobs' in answer) found.push({ folder, jobs: answer.jobs })
  }
  if (found.length > 0) return found
  throw new ApplianceError(
    `No appliance runs on ${state_path} ([DEFAULT] state_path): start it with rackstrap serve, or name its configuration by --config.`,
  )
}

async function list(options: Options): Promise<void> {
  const jobs = (await programs(options)).flatMap((program) => program.jobs)
  await print(options.json ? jsonOf(jobs) : renderJobs(jobs))
}

async function run(name: string, options: Options): Promise<void> {
  const found = await programs(options)
  const program = found.find(({ jobs }) => jobs.some((job) => job.name === name))
  if (program === undefined)
    throw new ApplianceError(
      unknownJob(
        name,
        found.flatMap(({ jobs }) => jobs.map((job) => job.name)),
      ),
    )
  const answer = await askForJobs(program.folder, { ask: 'run', job: name }, (counts) =>
    showProgress(renderCounts(counts)),
  )
  clearProgress()
  if (answer === undefined || !('counts' in answer))
    throw new ApplianceError(`What ran on ${program.folder} stopped before it had answered.`)
  await print(options.json ? jsonOf(answer.counts) : `${name}: ${renderCounts(answer.counts) || 'done'}\n`)
}

export function addJobsCommands(jobs: Command, configOption: readonly [string, string]): void {
  const add = (usage: string, description: string) =>
    jobs
      .command(usage)
      .description(description)
      .option(...configOption)
      .option('--json', 'print JSON')
  add('list', 'list the jobs: when each runs, how its last run ended, and when the next begins').action(list)
  add('run <name>', 'run a job now and wait for its end; a run under way is waited for').action(run)
}
