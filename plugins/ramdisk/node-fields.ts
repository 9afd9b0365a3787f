/** What a node says of the system that it boots: read, and refused where it does not fit together. Pure. */
import type { Task, Values } from '@appliance/core/plugin-api'
import type { RamdiskOptions } from './options.ts'

type Node = Task['node']
/** `name`: of the field in instance_info that holds the address. */
export type FileField = { name: 'kernel' | 'ramdisk' | 'boot_iso'; href: string; checksum?: string }
export type System = { kernel: FileField; ramdisk: FileField } | { iso: FileField }

const NEXT = 'Set instance_info/kernel and instance_info/ramdisk, or instance_info/boot_iso alone.'
const PARAMETERS = ['kernel_append_params', 'ramdisk_kernel_arguments'] as const

/** The first thing that is wrong, in a sentence; undefined: nothing is. */
export function problemOf(node: Node): string | undefined {
  const { instance_info: info, uuid } = node
  const odd = ['kernel', 'ramdisk', 'boot_iso'].flatMap((name) => [name, `${name}_checksum`]).find(isOdd(info))
  if (odd !== undefined) return `instance_info/${odd} of node ${uuid} is ${kindOf(info[odd])}: expected a text.`
  // The words of Ironic's pxe_base._validate_common.
  if (info.image_source && info.boot_iso) {
    return "An 'image_source' and 'boot_iso' parameter may not be specified at the same time."
  }
  return missingOrTooMuch(node) ?? parametersProblem(node)
}

function missingOrTooMuch({ uuid, instance_info: info }: Node): string | undefined {
  const files = ['kernel', 'ramdisk'].filter((name) => info[name])
  if (info.boot_iso) {
    if (files.length === 0) return undefined
    return `Node ${uuid} has instance_info/boot_iso and ${files.map((name) => `instance_info/${name}`).join(' and ')}: it can boot one system only. ${NEXT}`
  }
  if (files.length === 2) return undefined
  const missing = ['kernel', 'ramdisk'].filter((name) => !info[name])
  // Begins as Ironic's deploy_utils.validate_image_properties.
  return `Image ${info.image_source ?? 'None'} is missing the following properties: ${missing.join(', ')} (node ${uuid}). ${NEXT}`
}

function parametersProblem({ uuid, driver_info, instance_info }: Node): string | undefined {
  const where = { driver_info, instance_info }
  for (const [place, info] of Object.entries(where)) {
    const odd = PARAMETERS.find(isOdd(info))
    if (odd !== undefined) return `${place}/${odd} of node ${uuid} is ${kindOf(info[odd])}: expected a text.`
  }
  const ignored = PARAMETERS.find((name) => instance_info[name])
  if (!instance_info.boot_iso || ignored === undefined) return undefined
  return `instance_info/${ignored} of node ${uuid} has no effect on what instance_info/boot_iso boots: an ISO has a command line of its own. Remove it, or boot a kernel and a ramdisk.`
}

/** After `problemOf` found nothing. */
export function systemOf({ instance_info: info }: Node): System {
  const file = (name: FileField['name']): FileField => {
    const checksum = info[`${name}_checksum`]
    return { name, href: String(info[name]), ...(checksum ? { checksum: String(checksum) } : {}) }
  }
  return info.boot_iso ? { iso: file('boot_iso') } : { kernel: file('kernel'), ramdisk: file('ramdisk') }
}

/**
 * The kernel's command line, but for what iPXE needs itself.
 * @source Ironic ipxe_config.template :boot_ramdisk, driver utils.get_kernel_append_params
 */
export function parametersOf({ driver_info, instance_info }: Node, options: Values<RamdiskOptions>): string {
  const configured = options.kernel_append_params
  const own = instance_info.kernel_append_params ?? driver_info.kernel_append_params
  const appended = own === undefined || own === null ? configured : String(own).replaceAll('%default%', configured)
  const all = ['root=/dev/ram0', 'text', appended, instance_info.ramdisk_kernel_arguments ?? '']
  return all
    .map((part) => String(part).trim())
    .filter((part) => part !== '')
    .join(' ')
}

const isOdd = (info: Node['instance_info']) => (name: string) =>
  info[name] !== undefined && info[name] !== null && typeof info[name] !== 'string'
const kindOf = (value: unknown) => (Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`)
