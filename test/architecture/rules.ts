/** Whether an import is one that the walls let through. */
import { type Import, isBelow, roomOf } from './sources.ts'
import { WALLS } from './walls.ts'

const fits = (folder: string, file: string) => new RegExp(`^${folder.replace('*', '[^/]+')}(/|$)`).test(roomOf(file))
export const rowOf = (file: string) =>
  WALLS.filter(([folder]) => fits(folder, file)).sort(([a], [b]) => b.length - a.length)[0]
/** A plugin is one folder, with its layers. */
const ownFolderOf = (folder: string, file: string) =>
  folder.startsWith('plugins/') ? file.split('/').slice(0, 2).join('/') : folder

export function isAllowed({ file, target, typesOnly }: Import): boolean {
  const [folder, mayImport] = rowOf(file) ?? ['', []]
  if (mayImport.includes('*') || isBelow(roomOf(target), ownFolderOf(folder, file))) return true
  return mayImport.some((allowed) => {
    if (allowed.startsWith('type ')) return typesOnly && target === allowed.slice('type '.length)
    if (allowed === 'node:') return target.startsWith(allowed)
    // A workspace has one door; the ground has one for each of its files.
    const hasOneDoor = allowed.startsWith('@appliance/') && allowed !== '@appliance/ground'
    return hasOneDoor ? target === allowed : isBelow(roomOf(target), allowed)
  })
}
