/** What a run that succeeded leaves: the times of all stages, for a person and as JSON, and how to look around. */
import { stat } from 'node:fs/promises'
import type { Payload } from '../deploy.ts'
import type { Rack } from '../rack.ts'
import { BMC_PASSWORD, BMC_USERNAME, bmcPort } from '../steel/bmc.ts'
import type { Stage, Timeline } from '../timeline.ts'
import { inMiB } from './display.ts'
import type { RackCommand } from './options.ts'

type NodeResult = { name: string; deploy_to_os_up_s: number; stages: readonly Stage[]; bytes_to_machine: number }
export type Result = {
  /** From the arrival of the deploy call to the phone-home; of the slowest machine. */
  deploy_to_os_up_s: number
  stages: readonly Stage[]
  bytes_to_machine: number
  firmware: string
  memory_mib: number
  image:
    | { file: string; format: string; file_bytes: number; virtual_bytes: number }
    | { reference: string; digest: string; kind: string; bytes: number }
    | { kernel: string; ramdisk: string; bytes: number }
    | { installer: string; file: string; bytes: number }
  /** From the rack's upstream to the appliance; only with bootc. */
  upstream_bytes?: number
  nodes: readonly NodeResult[]
}

export async function resultOf(
  command: RackCommand,
  image: Payload,
  timelines: readonly Timeline[],
  rack: Pick<Rack, 'hardware' | 'upstream'>,
): Promise<Result> {
  const bytes = await rack.hardware.network.bytesToMachines()
  const nodes = timelines.map((timeline, index) => ({
    name: timeline.name,
    deploy_to_os_up_s: timeline.at_s('phone-home') ?? Number.NaN,
    stages: timeline.stages,
    bytes_to_machine: bytes[index] ?? 0,
  }))
  const slowest = nodes.reduce((one, other) => (other.deploy_to_os_up_s > one.deploy_to_os_up_s ? other : one))
  const { deploy_to_os_up_s, stages, bytes_to_machine } = slowest
  return {
    ...{ deploy_to_os_up_s, stages, bytes_to_machine },
    ...{ firmware: command.firmware, memory_mib: command.memory_mib },
    image: await about(image),
    nodes,
    upstream_bytes: rack.upstream?.bytesSent,
  }
}

async function about(image: Payload): Promise<Result['image']> {
  if ('kernel' in image) return { kernel: image.kernel, ramdisk: image.ramdisk, bytes: image.bytes }
  if ('installer' in image) return { installer: image.installer.kernel, file: image.path, bytes: image.bytes }
  if ('reference' in image) {
    const { reference, digest, kind, bytes } = image
    return { reference, digest, kind, bytes }
  }
  const { path: file, format, virtual_bytes } = image
  return { file, format, file_bytes: (await stat(file)).size, virtual_bytes }
}

export function summary({ nodes, image, upstream_bytes }: Result): string {
  const what = whatOf(image)
  const upstream = upstream_bytes === undefined ? [] : [`\n${inMiB(upstream_bytes)} came from upstream.`]
  return nodes
    .map(({ name, deploy_to_os_up_s, stages, bytes_to_machine }) =>
      [
        '',
        `${name} runs its operating system ${deploy_to_os_up_s.toFixed(1)} s after the deploy call; ` +
          `${inMiB(bytes_to_machine)} went over its wire for ${what}.`,
        ...tableOf(stages),
      ].join('\n'),
    )
    .concat(upstream)
    .join('\n')
}

function whatOf(image: Result['image']): string {
  if ('kernel' in image) return `a kernel and a ramdisk of ${inMiB(image.bytes)}`
  if ('installer' in image) return `a tarball of ${inMiB(image.bytes)} and its installer`
  return 'reference' in image ? `a container of ${inMiB(image.bytes)}` : `a disk of ${inMiB(image.virtual_bytes)}`
}

/** When each stage ended, and how long after the one before. */
function tableOf(stages: readonly Stage[]): string[] {
  return stages.map(({ name, at_s }, index) => {
    const before = stages[index - 1]?.at_s ?? at_s
    return `  ${name.padEnd(30)} ${at_s.toFixed(1).padStart(7)} s  ${`+${(at_s - before).toFixed(1)}`.padStart(7)}`
  })
}

export function howToLookAround(rack: Rack): string {
  const [machine] = rack.hardware.machines
  const bmc = `-I lanplus -C 3 -H 127.0.0.1 -p ${bmcPort(0)} -U ${BMC_USERNAME} -P ${BMC_PASSWORD}`
  const enter = rack.enterScript
  return `
The rack stays up until Ctrl-C. From another terminal of this box, as root:
  ${enter} baremetal node list
  ${enter} baremetal node show ${machine?.name}
  ${enter} baremetal node undeploy ${machine?.name}
  ${enter} ipmitool ${bmc} power status
  ${enter} bash                           a shell in the rack's network
console of ${machine?.name}: tail -f ${machine?.options.console}
  ${enter} ipmitool ${bmc} sol activate   to type there (root, no password; ~. ends it)
log of the appliance: ${rack.appliance.options.log}`
}
