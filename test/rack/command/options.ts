/** The options of `npm run rack`. Only reads them. */
import { parseArgs } from 'node:util'
import { FIRMWARES, type Firmware } from '../steel/machine.ts'

export const DEPLOY_INTERFACES = ['direct', 'bootc'] as const
export type DeployInterface = (typeof DEPLOY_INTERFACES)[number]

export type RackCommand = {
  firmware: Firmware
  nodes: number
  memory_mib: number
  deploy_interface: DeployInterface
  /** direct: a file or a URL; bootc: a reference, or the folder of an OCI layout. Our own when left out. */
  image?: string
  /** The image is in the mirror before a machine starts, and upstream is dead. */
  offline: boolean
  /** Each machine is cleaned before it is deployed. */
  clean: boolean
  json?: string
  keep: boolean
}

export const HELP = `npm run rack -- [options]     deploys bare machines in a virtual rack on this box
  --firmware bios|uefi        firmware of the machines (bios)
  --nodes N                   machines to deploy at once (1)
  --memory MIB                memory of each (1024)
  --image FILE|URL            raw or qcow2 image instead of a small Debian; an operating system that is up calls
                              GET http://172.22.0.1:8099/phone-home
  --deploy-interface direct|bootc
                              bootc: a bootable container, through the appliance's own registry mirror (direct)
  --image REFERENCE|FOLDER    with bootc: a container out in the world, or the folder of an OCI layout
  --offline                   with bootc: the image comes into the mirror first; then upstream is cut off
  --clean                     clean each machine first, as provide does: it boots the agent once more
  --json FILE                 write the times of all stages there
  --keep                      leave rack and appliance up until Ctrl-C, and tell how to look around
The two dashes before the options are npm's: it keeps everything before them to itself.`

/** What was given cannot be used; the message says how to give it. */
export class UsageError extends Error {}

const OPTIONS = ['firmware', 'nodes', 'memory', 'deploy-interface', 'image', 'offline', 'clean', 'json', 'keep']
const SMALLEST_MEMORY_MIB = 256
const MOST_NODES = 100

/** @throws UsageError */
export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv): RackCommand | 'help' {
  const swallowed = OPTIONS.find((name) => env[`npm_config_${name.replaceAll('-', '_')}`])
  if (swallowed) {
    throw new UsageError(`npm kept --${swallowed} to itself: write npm run rack -- --${swallowed} ...`)
  }
  const values = parse(args[0] === '--' ? args.slice(1) : args)
  if (values.help) return 'help'
  const firmware = FIRMWARES.find((one) => one === values.firmware)
  if (!firmware) throw new UsageError(`--firmware is '${values.firmware}': give ${FIRMWARES.join(' or ')}`)
  const deploy_interface = DEPLOY_INTERFACES.find((one) => one === values['deploy-interface'])
  if (!deploy_interface) {
    throw new UsageError(
      `--deploy-interface is '${values['deploy-interface']}': give ${DEPLOY_INTERFACES.join(' or ')}`,
    )
  }
  if (values.offline && deploy_interface !== 'bootc') {
    throw new UsageError('--offline is about containers: give --deploy-interface bootc with it')
  }
  return {
    firmware,
    deploy_interface,
    offline: values.offline,
    clean: values.clean,
    nodes: wholeNumber('--nodes', values.nodes, 1, MOST_NODES),
    memory_mib: wholeNumber('--memory', values.memory, SMALLEST_MEMORY_MIB, 1024 * 1024),
    image: values.image,
    json: values.json,
    keep: values.keep,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        firmware: { type: 'string', default: 'bios' },
        nodes: { type: 'string', default: '1' },
        memory: { type: 'string', default: '1024' },
        'deploy-interface': { type: 'string', default: 'direct' },
        image: { type: 'string' },
        offline: { type: 'boolean', default: false },
        clean: { type: 'boolean', default: false },
        json: { type: 'string' },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false, short: 'h' },
      },
    }).values
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : error}\n\n${HELP}`)
  }
}

function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new UsageError(`${option} is '${text}': give a whole number from ${least} to ${most}`)
}
