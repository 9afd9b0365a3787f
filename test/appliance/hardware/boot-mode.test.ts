import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bootModeOf, warnOfCapabilities } from '../../../appliance/hardware/boot-mode.ts'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { nodeOnPaper } from './node-on-paper.ts'

const UUID = nodeOnPaper().uuid
const mode = (change: Partial<Node>) => bootModeOf(nodeOnPaper(change), 'bios')

describe("a node's boot mode", () => {
  it('is the default when the record says nothing', () => {
    assert.equal(mode({}), 'bios')
    assert.equal(bootModeOf(nodeOnPaper(), 'uefi'), 'uefi')
  })

  it('is what properties/capabilities says, as text or as an object', () => {
    assert.equal(mode({ properties: { capabilities: 'cpu_vt:true,boot_mode:uefi' } }), 'uefi')
    assert.equal(mode({ properties: { capabilities: { boot_mode: 'UEFI' } } }), 'uefi')
  })

  it('is what the instance asks for, before what was found out', () => {
    assert.equal(mode({ instance_info: { capabilities: '{"boot_mode": "uefi"}' } }), 'uefi')
    assert.equal(
      mode({ instance_info: { deploy_boot_mode: 'uefi' }, driver_internal_info: { deploy_boot_mode: 'bios' } }),
      'uefi',
    )
    assert.equal(mode({ driver_internal_info: { deploy_boot_mode: 'uefi' } }), 'uefi')
  })

  it('is uefi when secure boot is asked for', () => {
    assert.equal(mode({ instance_info: { capabilities: { secure_boot: 'true' } } }), 'uefi')
  })

  it('is refused when the instance wants another than the node allows', () => {
    assert.throws(
      () => mode({ properties: { capabilities: 'boot_mode:bios' }, instance_info: { capabilities: 'boot_mode:uefi' } }),
      { message: `Node ${UUID} boot mode uefi violates node properties/capabilities bios` },
    )
  })

  it('is refused when it is none', () => {
    assert.throws(() => mode({ instance_info: { deploy_boot_mode: 'coreboot' } }), {
      message: `Boot mode of node ${UUID} is "coreboot": expected bios or uefi.`,
    })
    assert.throws(() => mode({ instance_info: { capabilities: '{boot_mode' } }), { message: /is no JSON object/ })
  })

  it('leaves out what is malformed, with a warning, and takes the first of a key', () => {
    const properties = { capabilities: 'uefi,a:b:c,:x, boot_mode : bios ,boot_mode:uefi' }
    const warned: unknown[] = []

    warnOfCapabilities(nodeOnPaper({ properties }), { warn: (...words: unknown[]) => void warned.push(words) })

    assert.equal(mode({ properties }), 'bios')
    assert.deepEqual(warned, [
      ['capabilities that are no key:value are left out', { malformed: ['uefi', 'a:b:c', ':x'] }],
    ])
  })
})
