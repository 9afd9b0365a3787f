/** The private folder that a plugin has for the time of a procedure. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { stateFolder } from '../records/state-folder.ts'
import { DONE, deployed, pluginOf, withStep } from './odd-plugin.ts'
import { startTrial } from './trial.ts'

const ORPHAN = '1be26c0b-03f2-4d2e-ae87-c02d7f33c123'

describe('folder of a procedure', () => {
  it('is only for the appliance, is the same in each step, and gone when the deploy is over', async (t) => {
    const seen: unknown[] = []
    const plugin = withStep({
      async run(task) {
        const folder = await task.folder()
        writeFileSync(join(folder, 'key'), 'hunter2')
        seen.push((statSync(folder).mode & 0o777).toString(8), folder === (await task.folder()))
        return DONE
      },
    })
    plugin.cleanUp = async (task) => void seen.push(readFileSync(join(await task.folder(), 'key'), 'utf8'))
    const state_path = stateFolder(t)

    const { trial, uuid } = await deployed(t, plugin, { state_path })
    await trial.untilState(uuid, 'active')

    assert.deepEqual(seen, ['700', true, 'hunter2'])
    assert.equal(existsSync(join(state_path, 'procedures', uuid)), false)
  })

  it('is gone after a deploy that failed, and after a tear down', async (t) => {
    const failing = pluginOf({
      deploySteps: () => [
        { step: 'only', priority: 80, run: (task) => task.folder().then(Promise.reject.bind(Promise)) },
      ],
      cleanUp: async (task) => writeFileSync(join(await task.folder(), 'left'), ''),
    })
    const state_path = stateFolder(t)
    const { trial, uuid } = await deployed(t, failing, { state_path })
    const folder = join(state_path, 'procedures', uuid)
    await trial.untilState(uuid, 'deploy failed')
    const isThereAfterFailure = existsSync(folder)

    await trial.conductor.provision(uuid, { target: 'deleted' })
    await trial.untilState(uuid, 'available')

    assert.equal(isThereAfterFailure, false)
    assert.equal(existsSync(folder), false)
  })

  it('survives a restart while its deploy waits; those of nobody are gone then', async (t) => {
    const plugin = withStep({
      async run(task) {
        writeFileSync(join(await task.folder(), 'key'), 'hunter2')
        return { wait: 'callback' }
      },
    })
    const state_path = stateFolder(t)
    const { trial, uuid } = await deployed(t, plugin, { state_path })
    await trial.untilState(uuid, 'wait call-back')
    await trial.stop()
    mkdirSync(join(state_path, 'procedures', ORPHAN, 'deep'), { recursive: true })

    const again = await startTrial(t, { plugins: [plugin], state_path })
    await again.conductor.recover()

    assert.equal(readFileSync(join(state_path, 'procedures', uuid, 'key'), 'utf8'), 'hunter2')
    assert.equal(existsSync(join(state_path, 'procedures', ORPHAN)), false)
  })

  it('is refused where no procedure would remove it', async (t) => {
    const plugin = pluginOf({ validate: async (task) => void (await task.folder()) })
    const trial = await startTrial(t, { plugins: [plugin] })
    const { uuid } = await trial.createNode()

    await assert.rejects(trial.conductor.provision(uuid, { target: 'active' }), {
      message: `Failed to validate deploy or power info for node ${uuid}. Error: task.folder was called for node ${uuid}, which is "available": nobody would remove it.`,
    })
  })
})
