import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { watchEventLoop } from '../../../appliance/serve/event-loop.ts'

describe('the watch of the event loop', () => {
  it('tells the processor time of a callback that others waited for', async (t) => {
    const { promise: isFirst, resolve: first } = Promise.withResolvers<void>()
    const { promise: isSeen, resolve: seen } = Promise.withResolvers<number>()
    t.after(
      watchEventLoop((delay_s, busy_s) => {
        first()
        if (busy_s >= 0.08) seen(delay_s)
      }),
    )
    // The watch itself keeps no process alive.
    const alive = setInterval(() => {}, 1000)
    t.after(() => clearInterval(alive))
    await isFirst

    const began = process.threadCpuUsage()
    const used_ms = () => {
      const { user, system } = process.threadCpuUsage(began)
      return (user + system) / 1000
    }
    while (used_ms() < 90) Math.sqrt(used_ms())

    assert.ok((await isSeen) >= 0.05, 'it was due after 20 ms')
  })
})
