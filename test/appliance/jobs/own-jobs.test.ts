import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { certificateJobs } from '../../../appliance/jobs/own-jobs.ts'

describe('the job that renews certificates', () => {
  it('tries each server though one before it fails, and fails then', async () => {
    const renewed: string[] = []
    const failing = { renewCertificate: () => Promise.reject(new Error('no openssl')) }
    const working = { renewCertificate: async () => void renewed.push('api') }
    const [job] = certificateJobs([failing, undefined, working])

    await assert.rejects(async () => job?.run({ signal: new AbortController().signal, progress() {}, options: {} }), {
      message: 'no openssl',
    })

    assert.deepEqual(renewed, ['api'])
  })
})
