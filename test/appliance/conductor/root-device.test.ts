/** Root device hints as people and scripts write them: refused before a machine is powered on. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkRootDevice } from '../../../appliance/conductor/task/root-device.ts'
import { InvalidParameterValue } from '../../../appliance/errors.ts'

const UUID = '1be26c0b-03f2-4d2e-ae87-c02d7f33c123'
type Hints = { properties?: object; instance_info?: object }

const check = ({ properties = {}, instance_info = {} }: Hints) =>
  checkRootDevice({ uuid: UUID, properties: { ...properties }, instance_info: { ...instance_info } })
const withHints = (root_device: unknown): Hints => ({ properties: { root_device } })
const refuses = (hints: Hints, text: string) =>
  assert.throws(
    () => check(hints),
    (error: Error) => {
      assert.ok(error instanceof InvalidParameterValue)
      assert.equal(error.message, `Failed to validate the root device hints for node ${UUID}. Error: ${text}`)
      return true
    },
  )

describe('root device hints', () => {
  it('are taken when the agent will understand them', () => {
    for (const size of [100, '100', '>= 100', '<or> 100 <or> 200', '== 5']) check(withHints({ size }))
    for (const rotational of [true, 'false', '0']) check(withHints({ rotational, model: 's== NVMe' }))
    check({})
  })

  it('are refused when it will not', () => {
    refuses(withHints('sda'), 'root_device is "sda", and an object of hints is expected.')
    refuses(
      withHints({ colour: 'red' }),
      'The hints "colour" are invalid. Valid hints are: "size, model, wwn, serial, vendor, wwn_with_extension, wwn_vendor_extension, ' +
        'name, rotational, hctl, by_path, tran"',
    )
    for (const size of ['big', 0, -1, '1.5', null]) {
      refuses(withHints({ size }), `Root device hint "size" is not a positive integer. Current value: ${size}`)
    }
    refuses(
      withHints({ rotational: 'maybe' }),
      'Root device hint "rotational" is not a Boolean value. Current value: maybe',
    )
  })

  it('of the instance win over those of the machine', () => {
    check({ properties: { root_device: 'sda' }, instance_info: { root_device: { name: '/dev/sdb' } } })
  })
})
