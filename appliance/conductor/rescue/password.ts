/** The password of a rescue, of which only the hash is stored. */
import { shaCrypt } from '@appliance/ground/passwords'
import { InvalidParameterValue, MissingParameterValue, messageOf } from '../../errors.ts'
import type { Node } from '../../records/kinds/node.ts'
import { merged, type Parts } from '../parts/parts.ts'

/**
 * instance_info with the hash in it.
 * @source Ironic conductor/utils.py hash_password
 * @throws MissingParameterValue, InvalidParameterValue
 */
export async function withPassword(
  { config }: Pick<Parts, 'config'>,
  { uuid, instance_info }: Node,
  password: string | undefined,
): Promise<Node['instance_info']> {
  if (!password?.trim()) throw new MissingParameterValue(`Node ${uuid} is to be rescued, and no password was given.`)
  const { rescue_password_hash_algorithm } = config.conductor
  const hashed_rescue_password = await shaCrypt(password, rescue_password_hash_algorithm).catch((error: unknown) => {
    throw new InvalidParameterValue(`The rescue password cannot be taken: ${messageOf(error)}.`, { cause: error })
  })
  return merged(instance_info, { rescue_password: undefined, hashed_rescue_password })
}

/** @source Ironic conductor/utils.py remove_node_rescue_password */
export const withoutPassword = ({ instance_info }: Node): Node['instance_info'] =>
  merged(instance_info, { rescue_password: undefined, hashed_rescue_password: undefined })
