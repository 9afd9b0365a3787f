/** The plugins of an appliance that runs, and how an update on disk is taken. Reads no configuration. */
import type { ConductorOptions } from '../conductor/parts/parts.ts'
import { createPluginProblems } from '../conductor/plugin/health.ts'
import type { Config } from '../config/options.ts'
import type { Consoles } from '../hardware/console/consoles.ts'
import { createHardware } from '../hardware/hardware.ts'
import type { OtherAnswers } from '../jobs/jobs-socket.ts'
import type { Log } from '../log.ts'
import type { Manifest } from '../plugin-host/manifest.ts'
import { hiddenOf } from './hidden.ts'
import { keeping, loadPluginSet, type PluginSet, type PluginSource } from './plugin-set.ts'

export type PluginState = {
  kind: string
  name: string
  /** Of its package.json. */
  version?: string
  folder?: string
  /** kept: its update was refused, and what was loaded before goes on. */
  state: 'loaded' | 'kept' | 'refused' | 'not enabled'
  reason?: string
}
export type Reloaded = {
  /** Those whose code is another now. */
  changed: readonly string[]
  plugins: readonly PluginState[]
}

export class LivePlugins {
  readonly #source: PluginSource
  readonly #take: (set: PluginSet) => void
  #set: PluginSet
  #problems: () => Promise<readonly string[]>
  #running: Promise<unknown> = Promise.resolve()

  /** @param take  hands what was loaded anew to those who run it */
  constructor(source: PluginSource, set: PluginSet, take: (set: PluginSet) => void) {
    this.#source = source
    this.#set = set
    this.#take = take
    this.#problems = this.#problemsOf(set)
  }

  get set(): PluginSet {
    return this.#set
  }

  /** What loaded plugins miss on this box. */
  problems(): Promise<readonly string[]> {
    return this.#problems()
  }

  /** One after the other: whoever asks while a reload runs means what is on the disk now. */
  reload(): Promise<Reloaded> {
    const reloading = this.#running.then(() => this.#reload())
    this.#running = reloading.catch(() => {})
    return reloading
  }

  async #reload(): Promise<Reloaded> {
    const before = this.#set
    const set = keeping(before, await loadPluginSet(this.#source))
    const versionIn = ({ tables }: PluginSet, key: string) => tables.find((table) => table.key === key)?.code_version
    const changed = set.tables.map(({ key }) => key).filter((key) => versionIn(before, key) !== versionIn(set, key))
    this.#take(set)
    this.#set = set
    this.#problems = this.#problemsOf(set)
    this.#source.log.info('plugins reloaded', { changed, refused: set.failures.map(({ name }) => name) })
    return { changed, plugins: statesOf(set) }
  }

  #problemsOf(set: PluginSet) {
    const { config, file } = this.#source
    const plugins = set.deploy.map(({ plugin }) => plugin)
    return createPluginProblems(plugins, valuesIn(set), hiddenOf(config, file.path))
  }
}

const valuesIn =
  ({ tables }: PluginSet) =>
  (plugin: string) =>
    tables.find(({ key }) => key === plugin)?.values ?? {}

/** What the conductor works with. @throws InvalidParameterValue  with all that is wrong with the options */
export const loadedOf = (
  config: Config,
  { log, consoles }: { log: Log; consoles: Consoles },
  set: PluginSet,
): Pick<ConductorOptions, 'plugins' | 'hardware' | 'option_values'> => ({
  plugins: set.deploy.map(({ plugin }) => plugin),
  hardware: createHardware({ config, log, consoles, plugins: set.brought }),
  option_values: valuesIn(set),
})

/** For `rackstrap plugins`. */
export const answersAbout = (plugins: LivePlugins): OtherAnswers => ({
  plugins: async () => ({ changed: [], plugins: statesOf(plugins.set) }) satisfies Reloaded,
  'reload plugins': () => plugins.reload(),
})

export function statesOf({ tables, failures, found }: PluginSet): PluginState[] {
  const described = ({ kind, name, version, folder }: Manifest) => ({ kind, name, ...(version && { version }), folder })
  const reasonOf = (named: string) => failures.find(({ name }) => name === named)?.reason
  const loaded = tables.map(({ manifest }): PluginState => {
    const reason = reasonOf(manifest.name)
    return { ...described(manifest), state: reason === undefined ? 'loaded' : 'kept', ...(reason && { reason }) }
  })
  const isLoaded = ({ kind, name }: Manifest) => loaded.some((each) => each.kind === kind && each.name === name)
  const left = found.filter((manifest) => !isLoaded(manifest))
  const refused = failures.filter(({ name }) => !loaded.some((each) => each.name === name))
  return [
    ...loaded,
    ...refused.map(({ name, reason }): PluginState => {
      const manifest = left.find((each) => each.name === name)
      return { ...(manifest ? described(manifest) : { kind: '-', name }), state: 'refused', reason }
    }),
    ...left
      .filter(({ name }) => !refused.some((each) => each.name === name))
      .map((manifest): PluginState => ({ ...described(manifest), state: 'not enabled' })),
  ]
}
