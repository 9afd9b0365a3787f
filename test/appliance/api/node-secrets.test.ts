/** What Ironic masks by its name is masked in answers, and lies encrypted on the disk. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { enrolled, openRig } from './rig.ts'

const NAMES = ['sys_pswd', 'snmp_auth_key', 'snmp_priv_key', 'cephadminkey', 'fernetkey', 'new_pass', 'swifthashsuffix']
const VALUE = 'tungsten-4711'

describe('a secret of a node', () => {
  it('is masked in the answer of its creation and after, and in plain nowhere below state_path', async (t) => {
    const { ask, config, lines } = await openRig(t)
    const secrets = Object.fromEntries(NAMES.map((name) => [name, VALUE]))
    const masked = Object.fromEntries(NAMES.map((name) => [name, '******']))
    const where = { driver_info: secrets, instance_info: secrets, extra: { deep: secrets }, properties: secrets }

    const created = await enrolled(ask, where)
    const { body } = await ask('GET', `/v1/nodes/${created.uuid}`)

    for (const shown of [created, body]) {
      const { driver_info, instance_info, extra, properties } = shown
      assert.deepEqual([driver_info, instance_info, extra, properties], [masked, masked, { deep: masked }, masked])
    }
    assert.throws(() => execFileSync('grep', ['-rl', VALUE, config.DEFAULT.state_path], { encoding: 'utf8' }), {
      status: 1,
    })
    assert.doesNotMatch(JSON.stringify(lines), new RegExp(VALUE))
  })
})
