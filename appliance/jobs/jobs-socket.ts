/** How `rackstrap jobs` reaches the program that runs: a socket in its folder, for the program's own account alone. */
import { join } from 'node:path'
import type { Counts, JobState, Jobs } from '@appliance/ground/jobs'
import { askSocket, listenOnSocket } from '@appliance/ground/json-socket'
import { ApplianceError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'

export type JobsRequest = { ask: 'list' } | { ask: 'run'; job: string }
/** What else the program answers on its socket, by what is asked. */
export type OtherAnswers = Readonly<Record<string, () => Promise<unknown>>>
export type JobsAnswer = { jobs: readonly JobState[] } | { counts: Counts }

type Progress = (counts: Counts) => void

const jobsSocketPath = (folder: string) => join(folder, 'jobs.sock')

/**
 * @param folder  one that no other program uses: state_path of an appliance, storage_path of a registry mirror that
 * runs alone
 * @param engines  whose jobs make one list
 * @returns how to close it
 */
export async function listenForJobs(
  folder: string,
  engines: readonly Jobs[],
  log: Log,
  others: OtherAnswers = {},
): Promise<() => Promise<void>> {
  const path = jobsSocketPath(folder)
  const answer = async (request: JobsRequest, progress: Progress): Promise<unknown> => {
    const other = Object.hasOwn(others, request.ask) ? others[request.ask] : undefined
    if (other) return other()
    if (request.ask === 'list') return { jobs: engines.flatMap(({ states }) => states) }
    const engine = engines.find(({ names }) => names.includes(request.job))
    if (engine === undefined)
      throw new ApplianceError(
        unknownJob(
          request.job,
          engines.flatMap(({ names }) => names),
        ),
      )
    return { counts: await engine.run(request.job, {}, progress) }
  }
  try {
    return await listenOnSocket(path, { answer })
  } catch (error) {
    // The jobs themselves run all the same.
    log.warn('rackstrap jobs cannot reach this program', { path, reason: messageOf(error) })
    return async () => {}
  }
}

export const unknownJob = (name: string, names: readonly string[]) =>
  `There is no job '${name}': expected one of ${names.join(', ')}.`

/** @returns undefined: no program runs on this folder. @throws ApplianceError  what the program says */
export const askForJobs = (
  folder: string,
  request: JobsRequest,
  progress: Progress = () => {},
): Promise<JobsAnswer | undefined> => askProgram<JobsAnswer>(folder, request, progress)

/** As askForJobs. @param ask  one of OtherAnswers */
export const askForOther = <Answer>(folder: string, ask: string): Promise<Answer | undefined> =>
  askProgram<Answer>(folder, { ask })

async function askProgram<Answer>(
  folder: string,
  request: { ask: string },
  progress: Progress = () => {},
): Promise<Answer | undefined> {
  const reply = await askSocket<Answer, Counts>(jobsSocketPath(folder), request, progress)
  if (reply === 'nobody') return undefined
  if ('answer' in reply) return reply.answer
  if ('refused' in reply) throw new ApplianceError(reply.refused)
  throw new ApplianceError(`What runs on ${folder} cannot be asked: ${reply.broken.message}.`, { cause: reply.broken })
}
