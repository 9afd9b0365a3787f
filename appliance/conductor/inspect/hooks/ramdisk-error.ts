/** The agent could not find out all that it was to. @source Ironic hooks/ramdisk_error.py */
import { plainText } from '@appliance/ground/plain-text'
import { DeployFailure } from '../../../errors.ts'
import type { Hook } from './hook.ts'

const TEXT_LIMIT = 2000

export const ramdiskError: Hook = {
  preprocess({ plugin_data: { error } }) {
    if (!error) return
    const told = typeof error === 'string' ? error : JSON.stringify(error)
    throw new DeployFailure(`Ramdisk reported error: ${plainText(told.slice(0, TEXT_LIMIT))}`)
  },
}
