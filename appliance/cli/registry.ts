/** `rackstrap registry ...`: runs the registry mirror alone, and asks one that runs, alone or inside the appliance. */
import {
  type AdminAnswer,
  type AdminRequest,
  askRegistry,
  RegistryError,
  syncJobNames,
} from '@appliance/registry-mirror'
import type { Command } from 'commander'
import { listenForJobs } from '../jobs/jobs-socket.ts'
import { certificateJobs, startJobs } from '../jobs/own-jobs.ts'
import { createLog } from '../log.ts'
import { thisBox } from '../serve/box.ts'
import { refuseForeignFolders } from '../serve/check/owners.ts'
import { startMirror } from '../serve/mirror.ts'
import { loadSettings } from '../serve/settings.ts'
import { requireFiles } from './file-limit.ts'
import { clearProgress, jsonOf, print, showProgress } from './output.ts'
import { renderCounts, renderList, renderStatus } from './registry-tables.ts'
import { servingEnd, untilStopped } from './until-stopped.ts'

type ConfigOption = { config?: string }
type AskOptions = ConfigOption & { json?: boolean }

async function serve({ config: path }: ConfigOption): Promise<void> {
  requireFiles()
  const ended = servingEnd()
  const settings = await loadSettings(path, thisBox, () => createLog('error'))
  refuseForeignFolders(settings, { isRegistryAlone: true })
  const log = createLog(settings.config.DEFAULT.debug ? 'debug' : 'info')
  for (const warning of settings.warnings) log.warn('configuration', { warning })
  const mirror = await startMirror(settings, log)
  const jobs = startJobs(certificateJobs([mirror]), log)
  const closeSocket = await listenForJobs(settings.registry.storage_path, [jobs, mirror.jobs], log)
  await untilStopped(ended, log, () => Promise.all([closeSocket(), jobs.close(), mirror.stop()]))
}

/** A folder that is opened for the time of a command logs its warnings and errors to stderr. */
const ASK_LOG = createLog('warn', (line) => process.stderr.write(`${line.trimEnd()}\n`))

async function ask({ config, json }: AskOptions, request: AdminRequest): Promise<void> {
  const settings = await loadSettings(config, thisBox, () => ASK_LOG)
  const answer = await askRegistry(settings.registry, ASK_LOG, {
    request,
    progress: (counts) => showProgress(renderCounts(counts)),
  })
  clearProgress()
  await print(json ? jsonOf(Object.values(answer)[0]) : textOf(answer, request))
}

function textOf(answer: AdminAnswer, request: AdminRequest): string {
  if ('status' in answer) return renderStatus(answer.status)
  if ('list' in answer) return renderList(answer.list)
  if ('counts' in answer) {
    const set = request.ask === 'run' && request.job.startsWith('sync:') ? `${request.job}: ` : ''
    return `${set}${renderCounts(answer.counts)}\n`
  }
  if (request.ask === 'release')
    return answer.changed ? `${request.owner} holds nothing now.\n` : `${request.owner} held nothing.\n`
  const target = 'target' in request ? request.target : ''
  const is = request.ask === 'pin' ? 'pinned' : 'not pinned'
  return answer.changed ? `${target} is ${is} now.\n` : `${target} was ${is} already.\n`
}

/**
 * Syncs one set after the other, also when one fails.
 * @throws RegistryError  some images differ from those of their upstreams
 */
async function syncSets({ config, json }: AskOptions, upstream: string | undefined): Promise<void> {
  const { registry } = await loadSettings(config, thisBox, () => ASK_LOG)
  const all = syncJobNames(registry.upstreams ?? [])
  const jobs = upstream === undefined ? all : all.filter((job) => job === `sync:${upstream}`)
  if (all.length === 0) throw new RegistryError('No upstream has images to sync: name some by sync of [upstream:NAME].')
  if (jobs.length === 0) {
    const names = all.map((job) => job.slice('sync:'.length))
    throw new RegistryError(`Upstream '${upstream}' has no images to sync: expected one of ${names.join(', ')}.`)
  }
  const failures: string[] = []
  for (const job of jobs) {
    try {
      await ask({ ...(config && { config }), ...(json && { json }) }, run(job, {}))
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error
      failures.push(`${job}: ${error.message}`)
    }
  }
  if (failures.length > 0) throw new RegistryError(failures.join('\n'))
}

const run = (job: string, options: Readonly<Record<string, number | undefined>>): AdminRequest => ({
  ask: 'run',
  job,
  options: Object.fromEntries(
    Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  ),
})

function wholeNumber(text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new Error(`'${text}' is no whole number.`)
  return Number(text)
}

export function addRegistryCommands(registry: Command, configOption: readonly [string, string]): void {
  const add = (usage: string, description: string) =>
    registry
      .command(usage)
      .description(description)
      .option(...configOption)
  const addAsking = (usage: string, description: string) => add(usage, description).option('--json', 'print JSON')
  add('serve', 'run the registry mirror alone').action(serve)
  addAsking('status', 'tell how full it is, what is pinned, and when which job ran and will run').action(
    (options: AskOptions) => ask(options, { ask: 'status' }),
  )
  addAsking('list [repository]', 'list what is kept, of all repositories or of those below one').action(
    (under: string | undefined, options: AskOptions) => ask(options, { ask: 'list', ...(under && { under }) }),
  )
  addAsking('pin <target>', 'never evict REPOSITORY, REPOSITORY:TAG or REPOSITORY@DIGEST').action(
    (target: string, options: AskOptions) => ask(options, { ask: 'pin', target }),
  )
  addAsking('unpin <target>', 'let it be evicted again').action((target: string, options: AskOptions) =>
    ask(options, { ask: 'unpin', target }),
  )
  addAsking('release <owner>', 'let go what somebody holds who is no more, such as node:UUID (see list --json)').action(
    (owner: string, options: AskOptions) => ask(options, { ask: 'release', owner }),
  )
  addAsking('gc', 'remove content that nothing needs any more')
    .option('--grace <seconds>', 'instead of [registry] gc_grace', wholeNumber)
    .action((options: AskOptions & { grace?: number }) => ask(options, run('gc', { grace_s: options.grace })))
  addAsking('evict', 'remove what was pulled and not used for longest, down to the quota')
    .option('--quota <MiB>', 'instead of [registry] quota', wholeNumber)
    .action((options: AskOptions & { quota?: number }) => ask(options, run('evict', { quota: options.quota })))
  addAsking(
    'sync [upstream]',
    'fetch what sync of [upstream:NAME] names, where it is new, of one upstream or of all',
  ).action((upstream: string | undefined, options: AskOptions) => syncSets(options, upstream))
  addAsking('scrub', 'read all content from the disk and quarantine what is damaged')
    .option('--rate <MiB/s>', 'instead of [registry] scrub_rate; 0: as fast as it goes', wholeNumber)
    .action((options: AskOptions & { rate?: number }) => ask(options, run('scrub', { rate: options.rate })))
}
