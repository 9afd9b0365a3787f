/** Plugins as odd as a test needs them, and nodes that are deployed by them. */
import type { TestContext } from 'node:test'
import type { DeployPlugin, Step } from '../../../appliance/plugin-api/index.ts'
import { startTrial, type TrialOptions } from './trial.ts'

export const DONE = { done: true } as const

export function pluginOf(change: Partial<DeployPlugin> = {}): DeployPlugin {
  return {
    apiVersion: '1',
    name: 'odd',
    options: {},
    usesAgent: false,
    async validate() {},
    deploySteps: () => [{ step: 'only', priority: 80, run: async () => DONE }],
    ...change,
  }
}
export const withStep = (step: Omit<Step, 'step' | 'priority'>, change: Partial<DeployPlugin> = {}) =>
  pluginOf({ deploySteps: () => [{ step: 'only', priority: 80, ...step }], ...change })

export async function deployed(t: TestContext, plugin: DeployPlugin, options: TrialOptions = {}) {
  const trial = await startTrial(t, { ...options, plugins: [plugin] })
  const { uuid } = await trial.createNode()
  await trial.conductor.provision(uuid, { target: 'active' })
  return { trial, uuid }
}
