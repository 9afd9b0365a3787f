import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { askForJobs, listenForJobs } from '../../../appliance/jobs/jobs-socket.ts'
import { certificateJobs, conductorJobs, startJobs } from '../../../appliance/jobs/own-jobs.ts'
import { createLog } from '../../../appliance/log.ts'

const log = createLog('error', () => {})

async function program(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'jobs-socket-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const certificate = startJobs(
    certificateJobs([{ renewCertificate: () => Promise.reject(new Error('no openssl')) }]),
    log,
  )
  const conductor = {
    checkDeadlines: async () => {},
    syncPowerStates: async () => {},
    recoverPowerFailures: async () => {},
    sensors: { read: async () => {}, values: () => [] },
  }
  const intervals = {
    check_provision_state_interval: 59,
    sync_power_state_interval: 0,
    power_failure_recovery_interval: 300,
  }
  const sensors = {
    ...{ send_sensor_data: false, interval: 600, workers: 4, wait_timeout: 300 },
    enable_for_undeployed_nodes: false,
  }
  const own = startJobs(conductorJobs(conductor, intervals, sensors), log)
  const close = await listenForJobs(folder, [own, certificate], log)
  t.after(() => Promise.all([close(), own.close(), certificate.close()]))
  return folder
}

describe('the jobs of a program that runs', () => {
  it('are one list, with the interval of each', async (t) => {
    const folder = await program(t)

    const answer = await askForJobs(folder, { ask: 'list' })

    const jobs = answer && 'jobs' in answer ? answer.jobs : []
    assert.deepEqual(
      jobs.map(({ name, interval_s, next_run }) => [name, interval_s, next_run !== undefined]),
      [
        ['check-deadlines', 59, true],
        ['sync-power-states', 0, false],
        ['recover-power-failures', 300, true],
        ['renew-certificate', 86_400, true],
      ],
    )
  })

  it('run by hand, and show how they ended', async (t) => {
    const folder = await program(t)

    const ran = await askForJobs(folder, { ask: 'run', job: 'sync-power-states' })
    await assert.rejects(askForJobs(folder, { ask: 'run', job: 'renew-certificate' }), { message: 'no openssl' })

    const answer = await askForJobs(folder, { ask: 'list' })
    const jobs = answer && 'jobs' in answer ? answer.jobs : []
    assert.deepEqual(ran, { counts: {} })
    assert.deepEqual(
      jobs.map(({ failed, result }) => [failed, result]),
      [
        [undefined, undefined],
        [false, ''],
        [undefined, undefined],
        [true, 'no openssl'],
      ],
    )
  })

  it('are named to who asks for another', async (t) => {
    const folder = await program(t)

    await assert.rejects(askForJobs(folder, { ask: 'run', job: 'tidy' }), {
      name: 'ApplianceError',
      message:
        "There is no job 'tidy': expected one of check-deadlines, sync-power-states, recover-power-failures, renew-certificate.",
    })
  })
})
