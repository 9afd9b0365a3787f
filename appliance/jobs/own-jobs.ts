/** What the appliance does by itself, by the clock, beside what the registry mirror does. */
import { type Job, Jobs } from '@appliance/ground/jobs'
import { nextByClock } from '@appliance/registry-mirror/settings'
import type { ConductorService } from '../conductor/start.ts'
import type { Config } from '../config/options.ts'
import type { Log } from '../log.ts'

const DAY_S = 24 * 3600

type Conductor = Pick<ConductorService, 'checkDeadlines' | 'syncPowerStates' | 'recoverPowerFailures' | 'sensors'>
type Intervals = Pick<
  Config['conductor'],
  'check_provision_state_interval' | 'sync_power_state_interval' | 'power_failure_recovery_interval'
>

/** @param sensors  [sensor_data] */
export const conductorJobs = (conductor: Conductor, config: Intervals, sensors: Config['sensor_data']): Job[] => [
  {
    name: 'check-deadlines',
    interval_s: config.check_provision_state_interval,
    run: withoutCounts(() => conductor.checkDeadlines()),
  },
  {
    name: 'sync-power-states',
    interval_s: config.sync_power_state_interval,
    run: withoutCounts(() => conductor.syncPowerStates()),
  },
  {
    name: 'recover-power-failures',
    interval_s: config.power_failure_recovery_interval,
    run: withoutCounts(() => conductor.recoverPowerFailures()),
  },
  ...(sensors.send_sensor_data
    ? [
        {
          name: 'read-sensors',
          interval_s: sensors.interval,
          run: withoutCounts(() => conductor.sensors.read()),
        },
      ]
    : []),
]

type Server = { renewCertificate(): Promise<void> }

/** @param servers  those that have a certificate; undefined: is not served. @returns one job, or none */
export function certificateJobs(servers: readonly (Server | undefined)[]): Job[] {
  const there = servers.filter((server) => server !== undefined)
  const run = withoutCounts(async () => {
    const failed: unknown[] = []
    // One after the other: they share a CA.
    for (const server of there) await server.renewCertificate().catch((error: unknown) => failed.push(error))
    if (failed.length > 0) throw failed[0]
  })
  return there.length === 0 ? [] : [{ name: 'renew-certificate', interval_s: DAY_S, run }]
}

const withoutCounts = (run: () => Promise<void>) => async () => {
  await run()
  return undefined
}

/** Nothing is remembered over a restart: none of these minds running once more. */
export function startJobs(jobs: readonly Job[], log: Log): Jobs {
  const started = new Jobs({ owner: 'appliance', log, nextByClock })
  for (const job of jobs) started.add(job)
  return started
}
