/**
 * The ramdisk with the stock ironic-python-agent for a test; where PyPI does not give the agent, the test is skipped.
 */
import type { TestContext } from 'node:test'
import type { Ramdisk } from '../rack/ramdisk.ts'
import { AgentNotServed, ensureStockAgent } from '../rack/stock-agent/build.ts'
import { PREPARE_DEADLINE_MS } from './racks.ts'

/** undefined: the test is skipped, and its output says why. @param o.podman  for deploys of containers */
export async function stockAgent(test: TestContext, o: { podman?: boolean } = {}): Promise<Ramdisk | undefined> {
  return ensureStockAgent(AbortSignal.timeout(PREPARE_DEADLINE_MS), o).catch((error) => {
    if (!(error instanceof AgentNotServed)) throw error
    console.error(`SKIPPED, the stock agent was not tried: ${error.message}`)
    test.skip(error.message)
    return undefined
  })
}
