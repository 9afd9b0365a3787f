/** Which disk an operating system goes to, by a node's root device hints: whether an agent will understand them. Looks at the record only. */
import { InvalidParameterValue } from '../errors.ts'
import { isTable } from '../is-table.ts'
import type { Node } from '../nodes/node.ts'

type Hinted = Pick<Node, 'uuid' | 'properties' | 'instance_info'>

/** @source ironic-python-agent device_hints.VALID_ROOT_DEVICE_HINTS */
const HINTS: readonly string[] = [
  ...['size', 'model', 'wwn', 'serial', 'vendor', 'wwn_with_extension', 'wwn_vendor_extension', 'name'],
  ...['rotational', 'hctl', 'by_path', 'tran'],
]

/** The agent would say so too, but only when the machine has started. @throws InvalidParameterValue */
export function checkRootDevice(node: Hinted): void {
  const problem = problemOf(node)
  if (problem !== undefined) throw new InvalidParameterValue(problem)
}

function problemOf({ uuid, properties, instance_info }: Hinted): string | undefined {
  const hints = instance_info.root_device ?? properties.root_device
  if (hints === undefined || hints === null) return undefined
  const wrong = (error: string) => `Failed to validate the root device hints for node ${uuid}. Error: ${error}`
  if (!isTable(hints)) return wrong(`root_device is ${JSON.stringify(hints)}, and an object of hints is expected.`)
  const unknown = Object.keys(hints).filter((name) => !HINTS.includes(name))
  if (unknown.length > 0) {
    return wrong(`unknown hints: ${unknown.join(', ')}. Known ones are ${HINTS.join(', ')}.`)
  }
  const { size, rotational } = hints
  if (size !== undefined && !/^\s*(==?|!=|>=?|<=?|<or>)?\s*[1-9]\d*(\s*<or>\s*[1-9]\d*)*\s*$/.test(String(size))) {
    return wrong(`size is ${JSON.stringify(size)}, and whole GiB are expected, e.g. 100 or ">= 100".`)
  }
  if (rotational !== undefined && !/^\s*(1|t|true|on|y|yes|0|f|false|off|n|no)\s*$/i.test(String(rotational))) {
    return wrong(`rotational is ${JSON.stringify(rotational)}, and true or false is expected.`)
  }
  return undefined
}
