import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { deploying } from './deploying.ts'

/** No answer waits for longer; the command itself may take its time. */
const IMPATIENT = '[agent]\ncommand_timeout = 2\npost_deploy_get_power_state_retry_interval = 0\n'
const LONG_MS = 2400

describe('boot entry of a machine', () => {
  it('is waited for when it takes longer than an answer may, and what the agent says of it is logged', async (t) => {
    const onBootloader = async () => {
      await pause(LONG_MS)
      return 'WARNING: none'
    }
    const { trial, agent, uuid } = await deploying(t, { ini: IMPATIENT, agent: { onBootloader } })

    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    await trial.untilLine('boot loader settled', { agent: 'install_bootloader: WARNING: none' })
    assert.deepEqual(agent.given, ['get_deploy_steps', 'write_image', 'install_bootloader', 'sync', 'power_off'])
  })

  it('fails the deploy when it cannot be made, at once or late', async (t) => {
    for (const [ini, pause_ms] of [
      ['', 0],
      [IMPATIENT, LONG_MS],
    ] as const) {
      const onBootloader = async () => {
        await pause(pause_ms)
        throw new Error('/dev/vda has no EFI system partition.')
      }
      const { trial, agent, uuid } = await deploying(t, { ini, agent: { onBootloader } })

      await agent.boot(trial.conductor)
      const { last_error } = await trial.untilState(uuid, 'deploy failed')

      assert.equal(
        last_error,
        `Deploy step deploy.prepare_instance_boot failed: Agent command image.install_bootloader failed on node ${uuid}: ` +
          '/dev/vda has no EFI system partition.',
      )
    }
  })
})
