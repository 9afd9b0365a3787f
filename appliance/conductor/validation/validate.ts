/** Is a node fit to be used? One answer an interface, as GET nodes/{node}/validate shows them. Touches no machine. */
import { checkKernelParameters, PxeError } from '@appliance/pxe'
import { InvalidParameterValue, messageOf } from '../../errors.ts'
import type { ProcedureKind } from '../../plugin-api/index.ts'
import type { Implementation } from '../../plugin-api/interfaces.ts'
import { INTERFACE_TYPES, type InterfaceType, type Node } from '../../records/kinds/node.ts'
import { kernelAppendParams } from '../boot/boot.ts'
import { checkPorts, validateRamdisk } from '../boot/ramdisk.ts'
import { interfaceOf, interfaceTask } from '../interfaces/interface-of.ts'
import type { Parts } from '../parts/parts.ts'
import { callPlugin } from '../plugin/faults.ts'
import { pluginOf } from '../plugin/plugin-of.ts'
import { templateSteps } from '../procedures/templates.ts'
import { handleOf } from '../states/node-handle.ts'
import { whileItProgresses } from '../steps/stall.ts'
import { makeTask, type TaskParts } from '../task/task.ts'

const PLUGIN_DEADLINE_S = 30

export type ValidationParts = TaskParts & Pick<Parts, 'background'>

/** Whatever the implementation throws. */
export async function validateInterface(
  parts: ValidationParts,
  node: Node,
  type: Exclude<InterfaceType, 'deploy'>,
): Promise<void> {
  const implementation: Implementation = interfaceOf(parts, node, type)
  const what = `The validate of ${type} interface ${implementation.name}`
  await whileItProgresses(what, PLUGIN_DEADLINE_S, parts.background.stopping, async ({ signal }) =>
    implementation.validate(interfaceTask(parts, node, type, signal)),
  )
}

/** @throws InvalidParameterValue, MissingParameterValue */
export const validatePower = (parts: ValidationParts, node: Node): Promise<void> =>
  validateInterface(parts, node, 'power')

/** @throws InvalidParameterValue, MissingParameterValue */
export async function validateBoot(parts: ValidationParts, node: Node): Promise<void> {
  if (pluginOf(parts, node).usesAgent) await validateAgentBoot(parts, node, 'deploy')
}

/** @throws InvalidParameterValue, MissingParameterValue */
export async function validateAgentBoot(parts: ValidationParts, node: Node, procedure: ProcedureKind): Promise<void> {
  await validateInterface(parts, node, 'boot')
  if (!interfaceOf(parts, node, 'boot').bootsFromNetwork) return
  checkPorts(parts, node.uuid)
  try {
    checkKernelParameters(kernelAppendParams(parts.config, node))
  } catch (error) {
    if (!(error instanceof PxeError)) throw error
    throw new InvalidParameterValue(`kernel_append_params of node ${node.uuid}: ${error.message}`, { cause: error })
  }
  await validateRamdisk(parts, node, procedure)
}

/** Whatever the plugin throws. */
export async function validateDeploy(parts: ValidationParts, node: Node): Promise<void> {
  const plugin = pluginOf(parts, node)
  const what = `The validate of deploy interface ${plugin.name}`
  await whileItProgresses(what, PLUGIN_DEADLINE_S, parts.background.stopping, (guard) =>
    callPlugin({ who: `the deploy interface ${plugin.name}`, node: node.uuid, refuses: true }, () =>
      plugin.validate(makeTask(parts, handleOf(parts, node.uuid), guard)),
    ),
  )
}

export type ValidationResult = { result: boolean; reason?: string }

async function validateType(parts: ValidationParts, node: Node, type: InterfaceType): Promise<void> {
  if (type === 'boot') return validateBoot(parts, node)
  if (type !== 'deploy') return validateInterface(parts, node, type)
  await validateDeploy(parts, node)
  templateSteps(parts, node)
}

export async function validate(parts: ValidationParts, node: Node): Promise<Record<string, ValidationResult>> {
  const results = INTERFACE_TYPES.filter((type) => type !== 'vendor').map(
    async (type): Promise<[string, ValidationResult]> => {
      try {
        await validateType(parts, node, type)
        return [type, { result: true }]
      } catch (error) {
        return [type, { result: false, reason: messageOf(error) }]
      }
    },
  )
  return Object.fromEntries(await Promise.all(results))
}
