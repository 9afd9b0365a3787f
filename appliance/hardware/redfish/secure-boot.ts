/** Secure Boot and its keys. @source Ironic drivers/modules/redfish/management.py; sushy system/secure_boot.py */
import { UnsupportedDriverExtension } from '../../errors.ts'
import { actionOf, type Bmc } from './bmc.ts'
import type { Resource } from './client.ts'
import { linkAt, memberAt } from './members.ts'

const RESET_KEYS = '#SecureBoot.ResetKeys'
export type KeysReset = 'ResetAllKeysToDefault' | 'DeleteAllKeys'

/** @throws UnsupportedDriverExtension  the machine has none */
async function secureBootOf(bmc: Bmc, extension: string): Promise<Resource> {
  const link = linkAt((await bmc.system()).body, 'SecureBoot')
  if (link === undefined) throw new UnsupportedDriverExtension(bmc.node.driver, extension)
  return bmc.get(link)
}

/** What the next boot has; null: the BMC does not tell. */
export async function getSecureBoot(bmc: Bmc): Promise<boolean | null> {
  const enabled = memberAt((await secureBootOf(bmc, 'get_secure_boot_state')).body, 'SecureBootEnable')
  return typeof enabled === 'boolean' ? enabled : null
}

export async function setSecureBoot(bmc: Bmc, isOn: boolean): Promise<void> {
  const resource = await secureBootOf(bmc, 'set_secure_boot_state')
  if (memberAt(resource.body, 'SecureBootEnable') === isOn) return
  await bmc.patch(resource, { SecureBootEnable: isOn })
}

/** Counts from the next boot. */
export async function resetKeys(bmc: Bmc, reset: KeysReset): Promise<void> {
  const resource = await secureBootOf(bmc, 'reset_secure_boot_keys')
  const { target, allowed } = await actionOf(bmc, resource, { action: RESET_KEYS, parameter: 'ResetKeysType' })
  if (allowed !== undefined && !allowed.includes(reset)) {
    throw bmc.failure(`takes no ResetKeysType ${reset}: it takes ${allowed.join(', ')}.`)
  }
  await bmc.post(target, { ResetKeysType: reset })
}
