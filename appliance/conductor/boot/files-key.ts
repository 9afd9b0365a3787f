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

/** An older version gave out addresses without a key: an instance of it has one from its next boot on. */
export async function keyInstanceFiles(parts: BootRecords, uuid: string): Promise<void> {
  const boot = parts.store.boots.get(uuid)
  if (boot?.instance && boot.files_key_secret === '') await giveFilesKey(parts, uuid)
}

export const isFilesKey = (parts: BootRecords, uuid: string, key: string): boolean =>
  isSameKey(filesKeyOf(parts, uuid), key) || (key === '' && isWithoutKey(parts, uuid))

/** A boot that an older version began, which is told by the number that it lacks, ends as it began. */
function isWithoutKey({ store }: BootRecords, uuid: string): boolean {
  const boot = store.boots.get(uuid)
  return boot?.files_key_secret === '' && boot.window?.number_secret === ''
}
