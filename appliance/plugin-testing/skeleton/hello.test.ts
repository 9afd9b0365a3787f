/** What is counted on from every deploy plugin, and what this one does. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createTaskOnPaper, testDeployPlugin } from '@appliance/core/plugin-testing'
import plugin from './index.ts'

const instance_info = { image_source: 'http://images.example/a.raw', image_checksum: 'a3'.repeat(32) }

testDeployPlugin(() => ({
  folder: import.meta.dirname,
  name: 'hello',
  setting: { node: { instance_info } },
  refused: { 'a volume of 12': { node: { instance_info, driver_info: { hello_volume: 12 } } } },
}))

it('says what the node wants to be said', async () => {
  const { task, calls } = createTaskOnPaper({ options: plugin.options, values: { hello_text: 'moin' } })
  const step = plugin
    .deploySteps({ agentFlow: () => [], imageInfo: () => ({}) })
    .find((one) => one.step === 'say_hello')

  await step?.run(task, {})

  const args = { text: 'moin', volume: 1 }
  assert.deepEqual(calls.at(-1)?.args, [{ interface: 'deploy', step: 'say_hello', args }])
})
