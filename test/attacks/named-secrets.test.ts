/** A secret that stands beside its name, and not under it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { withSecretsKept } from '../../appliance/api/v1/node/kept-secrets.ts'
import { maskSecrets } from '../../appliance/ground/secret-words.ts'

describe('a secret that stands beside its name', () => {
  const rule = (value: unknown) => [
    { op: 'set-attribute', args: { path: 'driver_info/ipmi_password', value } },
    { op: 'set-attribute', args: { path: ['driver_info', 'redfish_password'], value } },
    { op: 'set-attribute', args: { path: 'extra/rack', value: 7 } },
  ]
  const step = (value: unknown) => ({ args: { settings: [{ name: 'AdminPassword', value }] } })

  it('is masked in the actions of an inspection rule, and in BIOS settings of a step', () => {
    assert.deepEqual(maskSecrets(rule('hunter2')), rule('******'))
    assert.deepEqual(maskSecrets(step('hunter2')), step('******'))
    assert.deepEqual(maskSecrets(step(null)), step(null))
  })

  it('stays when a client writes back what it was shown', () => {
    assert.deepEqual(withSecretsKept(rule('hunter2'), rule('******')), rule('hunter2'))
    assert.deepEqual(withSecretsKept(step('hunter2'), step('******')), step('hunter2'))
  })
})
