/** The files of the repository as architecture.test.ts looks at them: their text, and what they import. */
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
export const PROSE_WIDTH_LIMIT = 120
export const WORKSPACES = ['appliance', 'pxe', 'registry-mirror', 'plugins', 'test']
export const textOf = (file: string) => readFileSync(join(ROOT, file), 'utf8')
export const linesOf = (file: string) => textOf(file).split('\n')
export const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')
export const isWide = (line: string) => [...line].length > PROSE_WIDTH_LIMIT
export const isBelow = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`)

export const filesLike = (...patterns: string[]) =>
  globSync(patterns, { cwd: ROOT, exclude: (name) => name.includes('node_modules') }).sort()
export const sources = filesLike(...WORKSPACES.map((folder) => `${folder}/**/*.ts`))

/** `isLate`: by import(), when it is needed. */
export type Import = { file: string; target: string; typesOnly: boolean; isLate: boolean }

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g

export function importsOf(file: string): Import[] {
  return [...withoutComments(textOf(file)).matchAll(IMPORT)].map(([, type, from, dynamic]) => {
    const target = from ?? dynamic ?? ''
    const path = target.startsWith('.') ? normalize(join(dirname(file), target)) : target
    return { file, target: path, typesOnly: !!type, isLate: dynamic !== undefined }
  })
}
export const imports = sources.flatMap(importsOf)

/** 'appliance/serve.ts' and all of appliance/serve/ are one. */
export const roomOf = (path: string) => path.replace(/\.ts$/, '')
