/** What plugins say of the box, in /healthz. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPluginProblems } from '../../../appliance/conductor/plugin/health.ts'
import { pluginHealth } from '../../../appliance/serve/health.ts'
import { pluginOf } from './odd-plugin.ts'

describe('what a plugin misses on the box', () => {
  it('is told with its name, by those that say it, with their options and programs of the box', async () => {
    let asked = 0
    const problems = createPluginProblems(
      [
        pluginOf({ name: 'silent' }),
        pluginOf({ name: 'well', health: async () => undefined }),
        pluginOf({
          name: 'bare',
          async health({ options, exec }) {
            asked++
            const { stdout } = await exec('echo', [`${(options as { script: string }).script} is not here`])
            return stdout
          },
        }),
      ],
      (plugin) => ({ script: `${plugin}-script` }),
    )

    assert.deepEqual(await problems(), ['bare: bare-script is not here'])
    assert.deepEqual(await problems(), ['bare: bare-script is not here'])
    assert.equal(asked, 1)
  })

  it('is told of one whose health itself fails', async () => {
    const problems = createPluginProblems(
      [pluginOf({ name: 'odd', health: () => Promise.reject(new Error('oops')) })],
      () => ({}),
    )

    assert.deepEqual(await problems(), ['odd: its health cannot be told: oops'])
  })

  it('makes nothing unhealthy, as a plugin that did not load does', () => {
    assert.deepEqual(pluginHealth([], ['bare: no ansible']), { healthy: true, message: 'bare: no ansible' })
    assert.deepEqual(pluginHealth([{ name: 'x', reason: 'x is refused' }], ['bare: no ansible']), {
      healthy: false,
      message: 'x is refused; bare: no ansible',
    })
    assert.deepEqual(pluginHealth([]), { healthy: true })
  })
})
