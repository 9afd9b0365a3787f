/** The key in the address of a node's image and files: in its boot record, and gone with what it was for. */
import type { Store } from '../../records/store.ts'
import { setBoot } from './record.ts'
import { isSameKey, newKey } from './window.ts'

type BootRecords = { store: Pick<Store, 'boots'> }

export const filesKeyOf = ({ store }: BootRecords, uuid: string): string =>
  store.boots.get(uuid)?.files_key_secret ?? ''

/** Made when the first file needs it. Durable when it resolves. */
export async function giveFilesKey(parts: BootRecords, uuid: string): Promise<string> {
  await setBoot(parts, uuid, ({ files_key_secret }) => ({ files_key_secret: files_key_secret || newKey() }))
  return filesKeyOf(parts, uuid)
}

export const isFilesKey = (parts: BootRecords, uuid: string, key: string): boolean =>
  isSameKey(filesKeyOf(parts, uuid), key)
