/** What a deploy plugin may say about a machine's boot into the deploy ramdisk: layers and files. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { DeployPlugin, Task } from '../../../appliance/plugin-api/index.ts'
import { stateFolder } from '../records/state-folder.ts'
import { DONE, deployed, pluginOf, withStep } from './odd-plugin.ts'
import { createBooting, MAC, startTrial } from './trial.ts'

describe('deploy plugin', () => {
  it('chooses its ramdisk layers by node and options, anew at each boot', async (t) => {
    const plugin = pluginOf({
      options: {
        odd_layer: { section: 'odd', type: 'string', default: 'podman', perNode: ['instance_info'], help: 'x' },
      },
      ramdiskLayers: ({ node, options }) => [String(options.odd_layer), String(node.name)],
    })
    const trial = await startTrial(t, { plugins: [plugin] })
    const { uuid } = await createBooting(trial, { provision_state: 'wait call-back', name: 'n1' })

    const first = trial.conductor.machineBootOf(MAC)
    await trial.store.nodes.update(uuid, { instance_info: { odd_layer: 'skopeo' } })
    const second = trial.conductor.machineBootOf(MAC)

    assert.deepEqual(
      [first, second].map((boot) => boot.kind === 'agent' && boot.layers),
      [
        ['podman', 'n1'],
        ['skopeo', 'n1'],
      ],
    )
  })

  it('that cannot say which layers it wants fails the deploy before the machine is switched on', async (t) => {
    const plugin = (ramdiskLayers: DeployPlugin['ramdiskLayers']) =>
      withStep({ run: (task) => task.boot.agent().then(() => DONE) }, { ...(ramdiskLayers ? { ramdiskLayers } : {}) })
    const throwing = await deployed(
      t,
      plugin(() => {
        throw new Error('no layer fits this node')
      }),
    )
    const odd = await deployed(
      t,
      plugin(() => 'podman' as unknown as string[]),
    )

    const failed = await throwing.trial.untilState(throwing.uuid, 'deploy failed')
    const refused = await odd.trial.untilState(odd.uuid, 'deploy failed')

    assert.equal(
      failed.last_error,
      'Deploy step deploy.only failed: the deploy interface odd threw Error: no layer fits this node',
    )
    assert.equal(
      refused.last_error,
      `Deploy step deploy.only failed: ramdiskLayers of the deploy interface "odd" gave "podman" for node ${odd.uuid}: a list of names is expected.`,
    )
    assert.notEqual(failed.power_state, 'power on')
  })

  it('gives the machine files that are a secret of the record, and gone when the deploy has ended', async (t) => {
    const given = Promise.withResolvers<void>()
    const ending = Promise.withResolvers<void>()
    const run = async (task: Task) => {
      await task.boot.files([{ path: '/etc/containers/auth.json', content: 'hunter2' }])
      given.resolve()
      await ending.promise
      return DONE
    }
    const state_path = stateFolder(t)
    const { trial, uuid } = await deployed(t, withStep({ run }), { state_path })
    await given.promise
    const kept = trial.store.boots.get(uuid)?.files_secret
    const onDisk = globSync('**/*', { cwd: state_path, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'))
      .join()
    ending.resolve()
    const { driver_internal_info } = await trial.untilState(uuid, 'active')

    assert.deepEqual(kept, [{ path: '/etc/containers/auth.json', content: 'hunter2' }])
    assert.ok(onDisk.includes('files_secret') && !onDisk.includes('hunter2'))
    assert.deepEqual(driver_internal_info, {})
    assert.equal(trial.store.boots.get(uuid), undefined)
  })

  it('that gives a file no place in the ramdisk is told so', async (t) => {
    const run = (task: Task) => task.boot.files([{ path: '../etc/passwd', content: '' }]).then(() => DONE)
    const { trial, uuid } = await deployed(t, withStep({ run }))

    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.match(String(last_error), /^Deploy step deploy\.only failed: .* hold "\.\.\/etc\/passwd" as a path: /)
  })
})
