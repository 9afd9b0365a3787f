/** One process for each storage_path, in the words of the registry. */
import { type FolderLock, lockFolder } from '@appliance/ground/folder-lock'
import { RegistryError } from '../../oci/errors.ts'

/** Another process has the folder: most likely a registry that runs. */
export class StorageInUse extends RegistryError {}

export const lockStorage = (storage_path: string): FolderLock =>
  lockFolder(storage_path, {
    inUse: () =>
      new StorageInUse(
        `${storage_path} is in use by another process. Stop it, or give this registry another [registry] storage_path.`,
      ),
    failed: (text, options) => new RegistryError(text, options),
  })
