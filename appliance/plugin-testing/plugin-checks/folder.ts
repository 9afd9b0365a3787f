/** Checks of a plugin's folder: its imports, what loading it does, and that it explains itself. */
import { execFile } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { readManifest } from '../../plugin-host/manifest.ts'
import type { Given } from './given.ts'

const CONTRACT = '@appliance/core/plugin-api'
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]|\b(?:import|require)\(\s*['"]?([^'")]*)/g

/**
 * Everything else comes through the task: so the folder needs no node_modules, and an appliance can say what a plugin
 * does.
 */
/** What runs on the machine is the ramdisk's matter. */
const NOT_LOADED = ['node_modules', 'layers/**', '**/*.test.*']

export function importsOnlyTypes({ folder }: Given): string[] {
  const files = globSync('**/*.{ts,mts,js,mjs,cjs}', { cwd: folder, exclude: NOT_LOADED })
  return files.sort().flatMap((file) => {
    const text = readFileSync(join(folder, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '')
    return [...text.matchAll(IMPORT)].flatMap(([, type, from, called]) => {
      const target = from ?? called ?? ''
      if (type && target === CONTRACT) return []
      const isInside =
        target.startsWith('.') && !relative(folder, resolve(folder, dirname(file), target)).startsWith('..')
      if (isInside) return []
      return [
        `${file} imports ${JSON.stringify(target)}: a plugin imports types of ${CONTRACT} (\`import type\`) and its own files`,
      ]
    })
  })
}

const PROBE = `
const seen = () => ({ globals: Object.getOwnPropertyNames(globalThis), resources: process.getActiveResourcesInfo() })
process.stdout.write('')
process.stderr.write('')
const before = seen()
await import(process.argv[1])
const after = seen()
const fresh = (kind) => after[kind].filter((name) => !before[kind].includes(name))
process.stderr.write('\\n' + JSON.stringify({ globals: fresh('globals'), resources: fresh('resources') }))
process.exit(0)
`

/** The manifest is read first; loading the code comes next, and still must do nothing. */
export async function loadsQuietly({ folder, deadline_ms }: Given): Promise<string[]> {
  const manifest = await readManifest(folder)
  if (!manifest) return [`${folder} holds no manifest`]
  const args = ['--input-type=module', '--eval', PROBE, pathToFileURL(manifest.entry).href]
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { timeout: deadline_ms, cwd: folder })
  const lines = stderr.split('\n')
  const { globals, resources } = JSON.parse(lines.pop() ?? '') as { globals: string[]; resources: string[] }
  const words = `${stdout}${lines.join('\n')}`.trim()
  return [
    ...(words === '' ? [] : [`loading it prints ${JSON.stringify(words.slice(0, 200))}`]),
    ...globals.map((name) => `loading it makes the global ${name}`),
    ...resources.map((kind) => `loading it leaves something running: ${kind}`),
  ]
}

export function hasReadme({ folder }: Given): string[] {
  return existsSync(join(folder, 'README.md'))
    ? []
    : ['it has no README.md: what it does, which fields it takes, and why']
}
