/**
 * What the checks of a deploy plugin are given, and how a plugin is loaded for them: like a stranger's, from a copy
 * of its folder.
 */
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '../../log.ts'
import type { DeployPlugin, Json } from '../../plugin-api/index.ts'
import { discoverPlugins } from '../../plugin-host/discover.ts'
import { loadPlugins } from '../../plugin-host/load.ts'
import type { TaskSetting } from '../task-on-paper.ts'

export type PluginUnderTest = {
  /** Its folder, as [DEFAULT] plugin_path would name it. */
  folder: string
  /** As enabled_deploy_interfaces would name it. */
  name: string
  /** With it a deploy goes well. */
  setting?: TaskSetting
  /** With each of them `validate` refuses the node; what is missing or wrong as key. */
  refused?: Readonly<Record<string, TaskSetting>>
  /** Arguments for steps that require some. */
  args?: Readonly<Record<string, Json>>
}
export type Given = PluginUnderTest & {
  plugin: DeployPlugin
  /** Read anew, as after a restart of the appliance: nothing that the first one kept in memory is there. */
  afterRestart(): Promise<DeployPlugin>
  /** Longest that anything may take with a task that answers at once. */
  deadline_ms: number
}
/** @returns what is wrong, in sentences; nothing when the plugin is as the contract wants it */
export type Check = (given: Given) => Promise<string[]> | string[]

const DEADLINE_MS = 5_000

export type Loader = AsyncDisposable & { load(): Promise<DeployPlugin> }

/**
 * Each `load` is of a new copy, far from any node_modules: it cannot import more than types, and nothing of it was
 * loaded before.
 * @throws Error  the reasons for which the appliance would start without it
 */
export async function createLoader({ folder, name }: PluginUnderTest): Promise<Loader> {
  const place = await mkdtemp(join(tmpdir(), 'plugin-'))
  const none = join(place, 'no-bundled-plugins')
  await mkdir(none)
  const log = createLog('error', () => {})
  let copies = 0
  return {
    async load() {
      const copy = join(place, String(copies++))
      await cp(folder, copy, { recursive: true, filter: (path) => !path.endsWith('/node_modules') })
      const { plugins, failures } = await loadPlugins('deploy', [name], await discoverPlugins([copy], none), { log })
      const [loaded] = plugins
      if (loaded && failures.length === 0) return loaded.plugin
      throw new Error(failures.map(({ reason }) => reason).join('\n'))
    },
    [Symbol.asyncDispose]: () => rm(place, { recursive: true }),
  }
}

export async function givenFor(under: PluginUnderTest, loader: Loader): Promise<Given> {
  return { ...under, plugin: deepFrozen(await loader.load()), afterRestart: loader.load, deadline_ms: DEADLINE_MS }
}

/** A plugin that keeps something at its own object would lose it with a restart: here it fails at once. */
function deepFrozen<T extends object>(value: T): T {
  if (Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const inner of Object.values(value)) if (inner !== null && typeof inner === 'object') deepFrozen(inner)
  return value
}
