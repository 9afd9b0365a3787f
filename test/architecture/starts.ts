/** What a start of the command line reads before it does anything. Follows imports, and no import(). */
import { type Import, imports, textOf } from './sources.ts'

const byFile = Map.groupBy(imports, ({ file }) => file)

/** By name, e.g. '@appliance/pxe/config': the file behind that door of a workspace. */
const doors: ReadonlyMap<string, string> = new Map(
  ['appliance', 'appliance/ground', 'pxe', 'registry-mirror'].flatMap((folder) => {
    const { name, exports } = JSON.parse(textOf(`${folder}/package.json`)) as {
      name: string
      exports: Record<string, string>
    }
    return Object.entries(exports).map(([door, file]) => [name + door.slice(1), folder + file.slice(1)] as const)
  }),
)

/** Packages of npm that are read with this file, and node:http, which as an ES module brings Node's own fetch. */
export function packagesReadWith(entry: string): string[] {
  const packages = new Set<string>()
  const seen = new Set<string>()
  const read = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    for (const { target } of (byFile.get(file) ?? []).filter(isRead)) {
      const next = byFile.has(target) ? target : doors.get(target)
      if (next !== undefined) read(next)
      else if ((!target.startsWith('node:') || target === 'node:http') && !target.endsWith('.ts')) packages.add(target)
    }
  }
  read(entry)
  return [...packages].sort()
}

const isRead = ({ typesOnly, isLate }: Import) => !typesOnly && !isLate
