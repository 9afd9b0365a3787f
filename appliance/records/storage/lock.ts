/** One process for each state_path, in the words of the appliance. */
import { type FolderLock, lockFolder } from '@appliance/ground/folder-lock'
import { ApplianceError } from '../../errors.ts'

/** Another process works on this state_path. */
export class StatePathInUse extends ApplianceError {}

export const lockStatePath = (state_path: string): FolderLock =>
  lockFolder(state_path, {
    inUse: (holder) =>
      new StatePathInUse(
        `${state_path} is in use by ${holder}. Stop it, or give this one another [DEFAULT] state_path.`,
      ),
    failed: (text, options) => new ApplianceError(text, options),
  })
