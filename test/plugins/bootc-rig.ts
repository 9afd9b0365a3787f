/** The deploy interface bootc with a task on paper, as the conductor would put a node on it. */
import type { Json, Step } from '../../appliance/plugin-api/index.ts'
import { BARE_KIT } from '../../appliance/plugin-testing/kit-on-paper.ts'
import {
  type Call,
  createTaskOnPaper,
  type TaskOnPaper,
  type TaskSetting,
} from '../../appliance/plugin-testing/task-on-paper.ts'
import plugin from '../../plugins/bootc/index.ts'
import type { BootcOptions } from '../../plugins/bootc/options.ts'

export const SOURCE = 'oci://quay.example/org/app:v1'
/** alice:wonder-land */
export const SECRET = 'YWxpY2U6d29uZGVyLWxhbmQ='
export const OURS = ['bootc_install', 'bootc_finish', 'write_image'].map((step) => ({
  ...{ interface: 'deploy', step },
  priority: 0,
}))

export const nodeWith = (instance_info: Json = {}, more: TaskSetting['node'] = {}): TaskSetting => ({
  node: { ...more, instance_info: { image_source: SOURCE, ...instance_info } },
})

type Paper = TaskOnPaper & { bootc: Parameters<typeof plugin.validate>[0] }

export function paperFor(setting: TaskSetting): Paper {
  const paper = createTaskOnPaper({ options: plugin.options, ...setting })
  return { ...paper, bootc: paper.task as unknown as Paper['bootc'] }
}

function steps(): Step<BootcOptions>[] {
  return [...plugin.deploySteps(BARE_KIT as unknown as Parameters<typeof plugin.deploySteps>[0])]
}

/** Runs a step, with what earlier ones kept. @returns what was called meanwhile */
export async function ran(
  name: string,
  setting: TaskSetting,
): Promise<{ calls: readonly Call[]; kept: Json; result: unknown }> {
  const paper = paperFor(setting)
  const result = await steps()
    .find(({ step }) => step === name)
    ?.run(paper.bootc, {})
  return { calls: paper.calls.filter(({ name: called }) => called !== 'log'), kept: paper.kept, result }
}

export const named = (calls: readonly Call[], name: string): readonly unknown[] | undefined =>
  calls.find((call) => call.name === name)?.args

/** What the agent was told to execute in a step. */
export async function told(name: string, setting: TaskSetting): Promise<{ step: string; args: Json }> {
  const { calls } = await ran(name, setting)
  const [executed] = (named(calls, 'agent.execute') ?? []) as [{ step: string; args: Json }]
  return JSON.parse(JSON.stringify({ step: executed.step, args: executed.args }))
}
