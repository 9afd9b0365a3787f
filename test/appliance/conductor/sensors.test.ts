/** What machines measure of themselves, for /metrics. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { conductorJobs } from '../../../appliance/jobs/own-jobs.ts'
import { createMetrics } from '../../../appliance/metrics.ts'
import { bmcByHand, configOf, startTrial } from './trial.ts'

const SENSORS = {
  Fan: { 'FAN1@1U': { reading: 4200, reading_units: 'RPM', max_reading_range: 9999 } },
  Temperature: { 'CPU1@1U': { reading_celsius: 41.5 }, 'CPU2@1U': { reading_celsius: Number.NaN } },
  Drive: { 'sda:0@1U': { model: 'steel' } },
}
const INSTANCE = { instance_uuid: '11111111-0000-4000-8000-000000000000', provision_state: 'active' } as const

async function start(t: TestContext, ini = '') {
  const { hand, driver } = bmcByHand()
  let asked = 0
  const getSensors = async () => {
    asked++
    await driver.getPowerState()
    return SENSORS
  }
  const trial = await startTrial(t, { bmc: { ...driver, getSensors }, ini: `[sensor_data]\n${ini}\n` })
  return { trial, hand, asked: () => asked }
}

describe('sensors of machines', () => {
  it('are read of machines with an instance, and told by name, type and field', async (t) => {
    const { trial } = await start(t)
    const { uuid } = await trial.createNode({ ...INSTANCE, name: 'n1' })
    const metrics = createMetrics()
    metrics.samples({ name: 'sensor', help: 'x', labels: ['node', 'name', 'type', 'sensor', 'field'] }, () =>
      trial.conductor.sensors.values(),
    )

    await trial.conductor.sensors.read()

    const text = await metrics.registry.getSingleMetricAsString('sensor')
    assert.deepEqual(text.split('\n').slice(2), [
      `sensor{node="${uuid}",name="n1",type="Fan",sensor="FAN1@1U",field="reading"} 4200`,
      `sensor{node="${uuid}",name="n1",type="Temperature",sensor="CPU1@1U",field="reading_celsius"} 41.5`,
    ])
  })

  it('are not read of machines without one, or in maintenance, unless the configuration wants them', async (t) => {
    const { trial, asked } = await start(t)
    await trial.createNode({ provision_state: 'available' })
    await trial.createNode({ ...INSTANCE, maintenance: true }, null)

    await trial.conductor.sensors.read()

    assert.equal(asked(), 0)
    const all = await start(t, 'enable_for_undeployed_nodes = true')
    await all.trial.createNode({ provision_state: 'available' })
    await all.trial.conductor.sensors.read()
    assert.equal(all.asked(), 1)
  })

  it('are gone, and told of once, when the BMC is', async (t) => {
    const { trial, hand } = await start(t)
    await trial.createNode(INSTANCE)
    await trial.conductor.sensors.read()
    hand.isGone = true

    await trial.conductor.sensors.read()
    await trial.conductor.sensors.read()

    assert.deepEqual([...trial.conductor.sensors.values()], [])
    assert.equal(trial.lines.filter(({ message }) => message === 'sensors cannot be read').length, 1)
  })

  it('are read by a job of their own where [sensor_data] says so', async (t) => {
    const { trial } = await start(t)
    const { conductor, sensor_data } = configOf()
    const names = (send_sensor_data: boolean) =>
      conductorJobs(trial.conductor, conductor, { ...sensor_data, send_sensor_data }).map(({ name }) => name)

    assert.deepEqual([names(true).includes('read-sensors'), names(false).includes('read-sensors')], [true, false])
  })
})
