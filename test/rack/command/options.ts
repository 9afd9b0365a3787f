/** The options of `npm run rack`. Only reads them: what an interface or a driver is called, the appliance knows. */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { DEFAULT_DRIVER, type NodeFields } from '../node-fields.ts'
import { FIRMWARES, type Firmware } from '../steel/machine.ts'

export type RackCommand = {
  firmware: Firmware
  nodes: number
  memory_mib: number
  /** What every node is, beyond what the rack knows. */
  node: NodeFields & { driver: string; deploy_interface: string }
  /**
   * A disk image as a file or a URL; a container as a reference or the folder of an OCI layout. Our own when left
   * out.
   */
  image?: string | undefined
  /** Whether the image is a container. */
  isContainer: boolean
  /** The image is in the mirror before a machine starts, and upstream is dead. */
  offline: boolean
  /** Each machine is cleaned before it is deployed. */
  clean: boolean
  /** An ini file over the rack's own configuration. */
  config?: string | undefined
  /** Folders. */
  plugins: readonly string[]
  json?: string | undefined
  keep: boolean
}

/** Its images are containers. */
const OF_CONTAINERS = 'bootc'
const DEFAULT_INTERFACE = 'direct'

export const HELP = `npm run rack -- [options]     deploys bare machines in a virtual rack on this box
  --firmware bios|uefi        firmware of the machines (bios)
  --nodes N                   machines to deploy at once (1)
  --memory MIB                memory of each (1024)
  --image FILE|URL            raw or qcow2 image instead of a small Debian; an operating system that is up calls
                              GET http://172.22.0.1:8099/phone-home
  --deploy-interface NAME     of every node (direct); bootc: a bootable container, through the appliance's own registry mirror;
                              ramdisk: a small system that lives in memory, booted at each start; anaconda: a stand-in
                              for an installer goes by its kickstart
  --image REFERENCE|FOLDER    with bootc: a container out in the world, or the folder of an OCI layout; with another
                              interface, write oci://REFERENCE
  --offline                   with a container: it comes into the mirror first; then upstream is cut off
  --driver NAME               hardware type of every node (ipmi); at a machine whose driver knows no BMC, the rack presses
                              the buttons
  --driver-info KEY=VALUE     further fields of every node, as the baremetal client reads them: the value is JSON, or else
  --instance-info KEY=VALUE   text; may be given again. They count before the rack's own
  --property KEY=VALUE
  --deploy-steps JSON|FILE    for the deploy, as the baremetal client takes them
  --clean                     clean each machine first, as provide does: it boots the agent once more
  --config FILE               an ini file over the rack's own configuration of the appliance
  --plugin FOLDER             a plugin, or a folder of plugins, beside those that come with the appliance; may be given again
  --json FILE                 write the times of all stages there
  --keep                      leave rack and appliance up until Ctrl-C, and tell how to look around
The two dashes before the options are npm's: it keeps everything before them to itself.`

/** What was given cannot be used; the message says how to give it. */
export class UsageError extends Error {}

const list = { type: 'string', multiple: true, default: [] as string[] } as const
const OPTIONS = {
  firmware: { type: 'string', default: 'bios' },
  nodes: { type: 'string', default: '1' },
  memory: { type: 'string', default: '1024' },
  image: { type: 'string' },
  'deploy-interface': { type: 'string', default: DEFAULT_INTERFACE },
  offline: { type: 'boolean', default: false },
  driver: { type: 'string', default: DEFAULT_DRIVER },
  'driver-info': list,
  'instance-info': list,
  property: list,
  'deploy-steps': { type: 'string' },
  clean: { type: 'boolean', default: false },
  config: { type: 'string' },
  plugin: list,
  json: { type: 'string' },
  keep: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false, short: 'h' },
} as const satisfies ParseArgsConfig['options']
const SMALLEST_MEMORY_MIB = 256
const MOST_NODES = 100

/** @throws UsageError */
export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv): RackCommand | 'help' {
  refuseSwallowed(env)
  const values = parse(args[0] === '--' ? args.slice(1) : args)
  if (values.help) return 'help'
  const firmware = FIRMWARES.find((one) => one === values.firmware)
  if (!firmware) throw new UsageError(`--firmware is '${values.firmware}': give ${FIRMWARES.join(' or ')}`)
  const node = {
    driver: named('--driver', values.driver),
    deploy_interface: named('--deploy-interface', values['deploy-interface']),
    driver_info: pairs('--driver-info', values['driver-info']),
    instance_info: pairs('--instance-info', values['instance-info']),
    property: pairs('--property', values.property),
    deploy_steps: stepsOrFile(values['deploy-steps']),
  }
  const isContainer = node.deploy_interface === OF_CONTAINERS || (values.image?.startsWith('oci://') ?? false)
  if (values.offline && !isContainer) {
    throw new UsageError('--offline is about containers: give --deploy-interface bootc with it')
  }
  return {
    ...{ firmware, node, isContainer },
    ...{ image: values.image, offline: values.offline, clean: values.clean, json: values.json, keep: values.keep },
    ...{ config: values.config, plugins: values.plugin },
    nodes: wholeNumber('--nodes', values.nodes, 1, MOST_NODES),
    memory_mib: wholeNumber('--memory', values.memory, SMALLEST_MEMORY_MIB, 1024 * 1024),
  }
}

function refuseSwallowed(env: NodeJS.ProcessEnv): void {
  const swallowed = Object.keys(OPTIONS).find((name) => env[`npm_config_${name.replaceAll('-', '_')}`])
  if (swallowed === undefined) return
  throw new UsageError(`npm kept --${swallowed} to itself: write npm run rack -- --${swallowed} ...`)
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : error}\n\n${HELP}`)
  }
}

/** Whether there is one of this name the appliance says; the client would take an empty one for none. */
function named(option: string, name: string): string {
  if (name.trim() !== '') return name
  throw new UsageError(`${option} is '': give a name`)
}

function pairs(option: string, values: readonly string[]): readonly string[] {
  const odd = values.find((value) => !/^[^=]+=/.test(value))
  if (odd === undefined) return values
  throw new UsageError(`${option} is '${odd}': give KEY=VALUE; the value is JSON, or else text`)
}

/** The client itself reads a file; what is meant as JSON shall not be taken for the name of one. */
function stepsOrFile(text: string | undefined): string | undefined {
  if (text === undefined || !/^\s*[[{]/.test(text)) return text
  try {
    JSON.parse(text)
    return text
  } catch (error) {
    throw new UsageError(`--deploy-steps is no JSON: ${error instanceof Error ? error.message : error}`)
  }
}

function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new UsageError(`${option} is '${text}': give a whole number from ${least} to ${most}`)
}
