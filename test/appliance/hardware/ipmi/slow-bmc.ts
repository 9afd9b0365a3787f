/** A wire on which all that a BMC says takes long. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { TestContext } from 'node:test'

/** @returns the port that stands for that of the BMC on loopback. Ends with the test. */
export async function slowWire(t: Pick<TestContext, 'after'>, to_port: number, delay_ms: number): Promise<number> {
  const front = createSocket('udp4').bind(0, '127.0.0.1')
  const backs = new Map<number, ReturnType<typeof createSocket>>()
  const timers = new Set<NodeJS.Timeout>()
  front.on('message', (question, { port }) => {
    const back = backs.get(port) ?? createSocket('udp4')
    if (!backs.has(port)) {
      back.on('message', (answer) => {
        timers.add(setTimeout(() => front.send(answer, port, '127.0.0.1'), delay_ms))
      })
      backs.set(port, back)
    }
    back.send(question, to_port, '127.0.0.1')
  })
  await once(front, 'listening')
  t.after(() => {
    for (const timer of timers) clearTimeout(timer)
    for (const socket of [front, ...backs.values()]) socket.close()
  })
  return front.address().port
}
