/** Who finds a node reserved waits in line. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createReservations } from '../../../appliance/conductor/parts/reservations.ts'
import { startTrial } from './trial.ts'

const LONG_S = 60
const AT_ONCE = '[conductor]\nnode_locked_retry_attempts = 0\n'

async function held(t: TestContext, patience_s: number) {
  const trial = await startTrial(t)
  const { uuid } = await trial.createNode()
  const reservations = createReservations({ store: trial.store, hostname: 'rackstrap', patience_s })
  return { trial, uuid, reservations, release: await reservations.take(uuid) }
}
const lockedBy = (uuid: string) => ({
  name: 'NodeLocked',
  code: 409,
  message: `Node ${uuid} is locked by host rackstrap, please retry after the current operation is completed.`,
})

describe('a request for a node that another holds', () => {
  it('gets it when it is free, first come, first served', async (t) => {
    const { uuid, reservations, release } = await held(t, LONG_S)
    const order: number[] = []

    const all = Array.from({ length: 80 }, async (_, index) => {
      const done = await reservations.take(uuid)
      order.push(index)
      await done()
    })
    await release()
    await Promise.all(all)

    assert.deepEqual(
      order,
      Array.from({ length: 80 }, (_, index) => index),
    )
  })

  it('is refused when its patience is over, and the next in line goes on', async (t) => {
    const { uuid, reservations, release } = await held(t, 0.02)
    const next = reservations.takeWhenFree(uuid, AbortSignal.timeout(10_000))

    await assert.rejects(reservations.take(uuid), lockedBy(uuid))
    await release()

    await (await next)()
    await (await reservations.take(uuid))()
  })

  it('is refused at once when a hundred wait already, or when nobody is to wait', async (t) => {
    const { uuid, reservations, release } = await held(t, LONG_S)
    const impatient = await held(t, 0)

    const waiting = Array.from({ length: 100 }, async () => (await reservations.take(uuid))())

    await assert.rejects(reservations.take(uuid), lockedBy(uuid))
    await assert.rejects(impatient.reservations.take(impatient.uuid), lockedBy(impatient.uuid))
    await release()
    await Promise.all(waiting)
  })

  it('is told when the node is deleted meanwhile, as is everybody behind it', async (t) => {
    const { trial, uuid, reservations, release } = await held(t, LONG_S)

    const waiting = [reservations.take(uuid), reservations.takeWhenFree(uuid, AbortSignal.timeout(10_000))]
    const told = Promise.allSettled(waiting)
    await trial.store.nodes.delete(uuid)
    await release()

    assert.deepEqual(
      (await told).map((each) => each.status === 'rejected' && each.reason.name),
      ['NotFound', 'NotFound'],
    )
  })

  it('leaves the line when its signal is aborted', async (t) => {
    const { uuid, reservations, release } = await held(t, LONG_S)
    const gone = new AbortController()

    const leaving = reservations.takeWhenFree(uuid, gone.signal)
    const staying = reservations.take(uuid)
    gone.abort(new Error('the appliance stops'))

    await assert.rejects(leaving, /the appliance stops/)
    await release()
    await (await staying)()
  })
})

describe('a verb for a node that another verb holds', () => {
  it('is looked at when the other is done: manage and provide follow each other, however slow the BMC', async (t) => {
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<'power off'>()
    const getPowerState = () => {
      asked.resolve()
      return answer.promise
    }
    const trial = await startTrial(t, { bmc: { getPowerState } })
    const { uuid } = await trial.createNode({ provision_state: 'enroll' })

    await trial.conductor.provision(uuid, { target: 'manage' })
    await asked.promise
    const provided = trial.conductor.provision(uuid, { target: 'provide' })
    answer.resolve('power off')
    await provided

    await trial.until('available', () => trial.node(uuid).provision_state === 'available')
  })

  it('is 409 while it is held, not 400 by a state that it is about to leave', async (t) => {
    const trial = await startTrial(t, { ini: AT_ONCE, bmc: { getPowerState: () => new Promise(() => {}) } })
    const { uuid } = await trial.createNode({ provision_state: 'enroll' })

    await trial.conductor.provision(uuid, { target: 'manage' })

    await assert.rejects(trial.conductor.provision(uuid, { target: 'provide' }), lockedBy(uuid))
  })
})
