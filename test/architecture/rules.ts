/** Whether an import is one that the walls let through. */
import { type Import, isBelow, roomOf, sources } from './sources.ts'
import { WALLS } from './walls.ts'

const fits = (folder: string, file: string) => new RegExp(`^${folder.replace('*', '[^/]+')}(/|$)`).test(roomOf(file))
const ROWS = new Map(
  sources.map((file) => [
    file,
    WALLS.filter(([folder]) => fits(folder, file)).sort(([a], [b]) => b.length - a.length)[0],
  ]),
)
export const rowOf = (file: string) => ROWS.get(file)
/** A plugin is one folder, with its layers. */
const ownFolderOf = (folder: string, file: string) =>
  folder.startsWith('plugins/') ? file.split('/').slice(0, 2).join('/') : folder

export function isAllowed(found: Import): boolean {
  const { file, target } = found
  const [folder, mayImport] = rowOf(file) ?? ['', []]
  if (mayImport.includes('*') || isBelow(roomOf(target), ownFolderOf(folder, file))) return true
  return mayImport.some((name) => isNamed(found, name))
}

/** Whether a name of a row stands for this import. */
export function isNamed({ target, typesOnly }: Import, name: string): boolean {
  if (name.startsWith('type ')) return typesOnly && target === name.slice('type '.length)
  if (name === 'node:') return target.startsWith(name)
  // A workspace has one door; the ground has one for each of its files.
  const hasOneDoor = name.startsWith('@appliance/') && name !== '@appliance/ground'
  return hasOneDoor ? target === name : isBelow(roomOf(target), name)
}
