import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LogLine } from './appliance.ts'
import { type Stage, Timeline } from './timeline.ts'

const NODE = '5f2c0000-0000-4000-8000-000000000001'
const MAC = '52:54:00:22:00:01'
const IP = '172.22.0.51'
/** Two hours before now, so that a moment taken from the clock cannot pass for one of these. */
const START = Date.now() - 7_200_000

const time = (at_s: number) => new Date(START + at_s * 1000).toISOString()
const line = (at_s: number, message: string, fields: object): LogLine => ({
  time: time(at_s),
  level: 'info',
  message,
  ...fields,
})
const state = (at_s: number, to: string, more = {}) =>
  line(at_s, 'provision state changed', { node: NODE, to, ...more })

function createTimeline(): { timeline: Timeline; told: Stage[] } {
  const told: Stage[] = []
  const timeline = new Timeline({
    name: 'rack-1',
    mac: MAC,
    ramdisk_bytes: 300,
    onStage: (_timeline, stage) => told.push(stage),
  })
  timeline.uuid = NODE
  return { timeline, told }
}
const namesAndTimes = (stages: readonly Stage[]) => stages.map(({ name, at_s }) => [name, at_s])

describe('timeline of a machine', () => {
  it('counts from the deploy call, what came before it included', () => {
    const { timeline } = createTimeline()

    timeline.takeLine(state(0, 'available'))
    timeline.takeLine(state(2.5, 'deploying'))
    timeline.takeLine(state(40, 'active'))

    assert.deepEqual(namesAndTimes(timeline.stages), [
      ['enrolled', -2.5],
      ['deploy called', 0],
      ['active', 37.5],
    ])
    assert.equal(timeline.isActive, true)
  })

  it('knows its lines by node, MAC and address, and leaves those of other machines', () => {
    const { timeline, told } = createTimeline()
    timeline.takeLine(state(0, 'deploying'))
    timeline.takePower('on')

    timeline.takeLine(line(1, 'dhcp lease', { mac: '52:54:00:22:00:02', ip: '172.22.0.52' }))
    timeline.takeLine(line(2, 'dhcp lease', { mac: MAC, ip: IP }))
    timeline.takeLine(line(3, 'boot file served', { ip: '172.22.0.52', file: 'core', bytes: 300, duration_s: 1 }))
    timeline.takeLine(line(4, 'agent looked up', { node: 'another' }))

    assert.deepEqual(
      told.filter(({ name }) => name !== 'machine on').map(({ name, note }) => [name, note]),
      [
        ['deploy called', undefined],
        ['DHCP', IP],
      ],
    )
  })

  it('tells that the ramdisk is fetched when all of its bytes are over, with their time', () => {
    const { timeline, told } = createTimeline()
    timeline.takeLine(state(0, 'deploying'))
    timeline.takePower('on')
    timeline.takeLine(line(1, 'dhcp lease', { mac: MAC, ip: IP }))

    timeline.takeLine(line(3, 'boot file served', { ip: IP, file: 'kernel', bytes: 100, duration_s: 1 }))
    assert.equal(timeline.has('ramdisk fetched'), false)
    timeline.takeLine(line(6, 'boot file served', { ip: IP, file: 'core', bytes: 200, duration_s: 2 }))
    timeline.takeLine(line(9, 'agent looked up', { node: NODE }))
    timeline.takeLine(line(9.5, 'agent looked up', { node: NODE }))

    assert.deepEqual(told.slice(-2), [
      { name: 'ramdisk fetched', at_s: 6, took_s: 4, bytes: 300 },
      { name: 'lookup', at_s: 9 },
    ])
  })

  it('keeps the bytes of a step, and shows its progress while it runs', () => {
    const { timeline, told } = createTimeline()
    timeline.takeLine(state(0, 'deploying'))

    timeline.takeLine(line(1, 'step started', { node: NODE, interface: 'deploy', step: 'write_image' }))
    timeline.takeLine(line(2, 'progress', { node: NODE, note: 'writing', done: 50, total: 200, unit: 'bytes' }))
    const during = timeline.activity
    timeline.takeLine(line(3, 'image served', { node: NODE, bytes: 40, duration_s: 2, encoding: 'gzip' }))
    timeline.takeLine(line(4, 'progress', { node: NODE, note: 'writing', done: 200, total: 200, unit: 'bytes' }))
    timeline.takeLine(line(5, 'step finished', { node: NODE, interface: 'deploy', step: 'write_image', duration_s: 4 }))

    assert.deepEqual(
      { ...during, since_ms: 0 },
      { name: 'step deploy.write_image', since_ms: 0, done: 200, total: 200, note: 'writing' },
    )
    assert.deepEqual(told.slice(-2), [
      { name: 'image sent', at_s: 3, bytes: 40, took_s: 2, note: 'gzip' },
      { name: 'step deploy.write_image', at_s: 5, took_s: 4, bytes: 200 },
    ])
  })

  it('takes the power from the machine itself: off and on again is the way to its own disk', () => {
    const { timeline } = createTimeline()
    timeline.takePower('on')
    timeline.takePower('off')
    timeline.takeLine(state(0, 'deploying'))

    for (const power of ['on', 'off', 'on'] as const) timeline.takePower(power)
    timeline.takeLine(line(1, 'boot script served', { node: NODE, mac: MAC, boot: 'disk' }))

    assert.deepEqual(
      timeline.stages.map(({ name }) => name),
      ['deploy called', 'machine on', 'machine off', 'machine on again'],
    )
  })

  it('is over with the first phone-home, and tells what the machine calls itself', () => {
    const { timeline } = createTimeline()
    timeline.takePhoneHome({ time: time(0), path: '/phone-home?hostname=old' })
    timeline.takeLine(state(1, 'deploying'))

    timeline.takePhoneHome({ time: time(51), path: '/phone-home?hostname=rack-1' })
    timeline.takePhoneHome({ time: time(60), path: '/phone-home' })

    assert.equal(timeline.at_s('phone-home'), 50)
    assert.deepEqual(
      timeline.stages.map(({ name, note }) => [name, note]),
      [
        ['deploy called', undefined],
        ['phone-home', 'it calls itself rack-1'],
      ],
    )
  })

  for (const [to, last_error, failure] of [
    ['deploy failed', 'The disk is too small.', 'The disk is too small.'],
    ['clean failed', '', 'the node is "clean failed" and says no reason'],
    ['enroll', 'The BMC is gone.', 'The BMC is gone.'],
  ]) {
    it(`has failed when the node becomes "${to}" with last_error "${last_error}"`, () => {
      const { timeline } = createTimeline()

      timeline.takeLine(state(0, to ?? '', { last_error }))

      assert.equal(timeline.failure, failure)
    })
  }
})
