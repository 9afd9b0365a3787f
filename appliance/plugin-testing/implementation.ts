/** What all implementations of interfaces have in common. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Implementation } from '../plugin-api/interfaces.ts'
import type { Node } from '../records/kinds/node.ts'
import { interfaceTask } from './interface-task.ts'

export function testImplementation(make: () => { implementation: Implementation; node: () => Node }): void {
  it('has a name that a node can have', () => {
    assert.match(make().implementation.name, /^[a-z][a-z0-9-]*$/)
  })

  it('explains each of its driver_info keys', () => {
    for (const help of Object.values(make().implementation.properties ?? {})) assert.match(help, /\w.*\.$/)
  })

  it('finds nothing wrong with a complete record, and does not touch the machine to say so', async () => {
    const { implementation, node } = make()

    await implementation.validate(interfaceTask(node()))
  })

  it('describes steps that can be run, each in a procedure, and each once', () => {
    const { steps = [] } = make().implementation
    const names = steps.map(({ step }) => step)

    assert.deepEqual(names, [...new Set(names)])
    for (const { step, priority, of, run } of steps) {
      assert.match(step, /^[a-z][a-z0-9_]*$/)
      assert.ok(Number.isInteger(priority) && priority >= 0 && priority <= 100, step)
      assert.ok(of.length > 0, step)
      assert.equal(typeof run, 'function')
    }
  })
}
