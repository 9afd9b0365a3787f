/** Is a node fit to be used? One answer an interface, as GET nodes/{node}/validate shows them. Touches no machine. */
import { checkKernelParameters, PxeError } from '@appliance/pxe'
import { InvalidParameterValue, MissingParameterValue, messageOf } from '../../errors.ts'
import { INTERFACE_TYPES, type InterfaceType, type Node } from '../../records/kinds/node.ts'
import { kernelAppendParams } from '../boot/boot.ts'
import { validateRamdisk } from '../boot/ramdisk.ts'
import { bmcOf, nodeOf, type Parts, pluginOf } from '../parts/parts.ts'
import { DEPLOY, type Procedure } from '../procedures/procedure.ts'
import { whileItProgresses } from '../steps/stall.ts'
import { makeTask } from '../task/task.ts'

const PLUGIN_DEADLINE_S = 30
/** @throws InvalidParameterValue, MissingParameterValue */
export const validatePower = (parts: Parts, node: Node): void => bmcOf(parts, node).validate(node)

/** @throws InvalidParameterValue, MissingParameterValue */
export async function validateBoot(parts: Parts, node: Node): Promise<void> {
  if (pluginOf(parts, node).usesAgent) await validateAgentBoot(parts, node, DEPLOY)
}

/** @throws InvalidParameterValue, MissingParameterValue */
export async function validateAgentBoot(parts: Parts, node: Node, procedure: Procedure): Promise<void> {
  if (parts.store.ports.where('node_uuid', node.uuid).length === 0) {
    throw new MissingParameterValue(`Node ${node.uuid} does not have any port associated with it.`)
  }
  try {
    checkKernelParameters(kernelAppendParams(parts.config, node))
  } catch (error) {
    if (!(error instanceof PxeError)) throw error
    throw new InvalidParameterValue(`kernel_append_params of node ${node.uuid}: ${error.message}`, { cause: error })
  }
  await validateRamdisk(parts, node, procedure)
}

/** Whatever the plugin throws. */
export async function validateDeploy(parts: Parts, node: Node): Promise<void> {
  const plugin = pluginOf(parts, node)
  const what = `The validate of deploy interface ${plugin.name}`
  await whileItProgresses(what, PLUGIN_DEADLINE_S, parts.jobs.stopping, (guard) =>
    plugin.validate(makeTask(parts, node.uuid, guard)),
  )
}

export type ValidationResult = { result: boolean | null; reason?: string }
type Check = (parts: Parts, node: Node) => void | Promise<void>

const CHECKS: Readonly<Partial<Record<InterfaceType, Check>>> = {
  boot: validateBoot,
  deploy: validateDeploy,
  management: validatePower,
  power: validatePower,
  network: () => {},
  storage: () => {},
}

export async function validate(parts: Parts, uuid: string): Promise<Record<string, ValidationResult>> {
  const node = nodeOf(parts, uuid)
  const results = INTERFACE_TYPES.filter((type) => type !== 'vendor').map(
    async (type): Promise<[string, ValidationResult]> => {
      const check = CHECKS[type]
      if (!check) return [type, { result: null, reason: unsupported(node, type) }]
      try {
        await check(parts, node)
        return [type, { result: true }]
      } catch (error) {
        return [type, { result: false, reason: messageOf(error) }]
      }
    },
  )
  return Object.fromEntries(await Promise.all(results))
}

/** @source Ironic UnsupportedDriverExtension */
const unsupported = ({ driver }: Node, type: InterfaceType) =>
  `Driver ${driver} does not support ${type} (disabled or not implemented).`
