/**
 * The kinds of plugins: Ironic's interface types, and what the object of each must have. Nobody's compiler checked a
 * stranger's.
 */
import type { DeployPlugin } from '../plugin-api/index.ts'
import type { InterfacePlugin, Interfaces } from '../plugin-api/interfaces.ts'

export type Kind = 'deploy' | keyof Interfaces
export type PluginOf<K extends Kind> = K extends keyof Interfaces ? InterfacePlugin<K> : DeployPlugin

type Wanted = 'function' | 'boolean' | 'object'
/** `?` at the end of a name: it may be left out. */
type Shape = Readonly<Record<string, Wanted>>

const IMPLEMENTATION = { validate: 'function', 'steps?': 'object' } as const satisfies Shape

const SHAPES: Readonly<Record<Kind, Shape>> = {
  deploy: {
    validate: 'function',
    deploySteps: 'function',
    'cleanSteps?': 'function',
    'serviceSteps?': 'function',
    'adopt?': 'function',
    'prepare?': 'function',
    'prepareClean?': 'function',
    'health?': 'function',
    'cleanUp?': 'function',
    'supports?': 'function',
    'switchesTo?': 'function',
    usesAgent: 'boolean',
    'hasMachine?': 'boolean',
  },
  power: {
    ...IMPLEMENTATION,
    getPowerState: 'function',
    setPowerState: 'function',
    'supportedPowerStates?': 'object',
    'supportsPowerSync?': 'boolean',
  },
  management: {
    ...IMPLEMENTATION,
    supportedBootDevices: 'object',
    getBootDevice: 'function',
    setBootDevice: 'function',
    'getSupportedBootModes?': 'function',
    'getBootMode?': 'function',
    'setBootMode?': 'function',
    'getSecureBoot?': 'function',
    'setSecureBoot?': 'function',
    'injectNmi?': 'function',
    'getIndicators?': 'function',
    'getIndicatorState?': 'function',
    'setIndicatorState?': 'function',
    'getSensors?': 'function',
    'getVirtualMedia?': 'function',
    'attachVirtualMedia?': 'function',
    'detachVirtualMedia?': 'function',
  },
  boot: { ...IMPLEMENTATION, bootsFromNetwork: 'boolean', prepareRamdisk: 'function', 'cleanUpRamdisk?': 'function' },
  inspect: { ...IMPLEMENTATION, inspectHardware: 'function' },
  raid: {
    ...IMPLEMENTATION,
    logicalDiskProperties: 'object',
    'validateConfiguration?': 'function',
    'getConfiguration?': 'function',
  },
  bios: { ...IMPLEMENTATION, 'getSettings?': 'function' },
  firmware: { ...IMPLEMENTATION, 'getComponents?': 'function' },
  console: { ...IMPLEMENTATION, startConsole: 'function', stopConsole: 'function', getConsole: 'function' },
  rescue: {
    ...IMPLEMENTATION,
    rescue: 'function',
    'resume?': 'function',
    unrescue: 'function',
    'bootsAgent?': 'boolean',
  },
  vendor: { ...IMPLEMENTATION, methods: 'object', 'driverMethods?': 'object' },
  network: IMPLEMENTATION,
  storage: IMPLEMENTATION,
}
export const KINDS = Object.keys(SHAPES) as readonly Kind[]

export const isKind = (value: unknown): value is Kind => typeof value === 'string' && Object.hasOwn(SHAPES, value)

/** One sentence for each member that is not what its kind wants. */
export function problemsOfShape(plugin: Readonly<Record<string, unknown>>, kind: Kind): string[] {
  return Object.entries(SHAPES[kind]).flatMap(([key, wanted]) => {
    const name = key.replace(/\?$/, '')
    const value = plugin[name]
    const isRight = typeof value === wanted && value !== null
    if (isRight || (name !== key && value === undefined)) return []
    return [`${name} is of type ${typeof value}, and a ${wanted} is expected`]
  })
}
