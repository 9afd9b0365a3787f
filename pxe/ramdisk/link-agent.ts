/**
 * Makes one script of the agent's modules, or of a layer's deploy steps, types stripped: under emulation a second quicker to
 * start than 40 ES modules, and no compiler in the ramdisk. Understands the forms that our agent uses, and refuses any other.
 */
import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'

const IMPORT = /^import\s+(?:(\w+)|\{([^}]*)\}|\*\s+as\s+(\w+))\s+from\s+'([^']+)';?$/gm
const EXPORT = /^export\s+(?=(?:async\s+)?(?:function\*?|const|class)\s+(\w+))/gm
const LEFT_OVER = /^(?:import|export)\b.*$/m

type Module = { file: string; imports: string[]; code: string }

/** @param entry  path of main.ts. @throws Error  a form that is not understood, a circle */
export const linkAgent = (entry: string): Promise<string> => link(entry)

/**
 * The deploy steps of a layer, as a CommonJS module that exports what the entry does.
 * @param entry  path of steps/index.ts
 * @throws Error  as linkAgent
 */
export async function linkSteps(entry: string): Promise<string> {
  return `${await link(entry)}module.exports = modules['${basename(entry)}']\n`
}

async function link(entry: string): Promise<string> {
  const modules: Module[] = []
  await collect(entry, modules, [])
  const root = dirname(entry)
  const name = (file: string) => relative(root, file)
  const parts = modules.map(
    ({ file, code }) => `// ${name(file)}\nmodules['${name(file)}'] = (() => {\n${code}\n})()\n`,
  )
  return `'use strict'\nconst modules = {}\n${parts.join('')}`.replace(
    /\0module:([^\0]*)\0/g,
    (_, file) => `modules['${name(file)}']`,
  )
}

async function collect(file: string, done: Module[], path: readonly string[]): Promise<void> {
  if (path.includes(file)) throw new Error(`Imports go in a circle: ${[...path, file].join(' > ')}`)
  if (done.some((module) => module.file === file)) return
  const module = toFunctionBody(file, stripTypeScriptTypes(await readFile(file, 'utf8')))
  for (const imported of module.imports) await collect(imported, done, [...path, file])
  done.push(module)
}

/** Imports become constants, exports the value that the function returns. */
function toFunctionBody(file: string, source: string): Module {
  const imports: string[] = []
  const exported: string[] = []
  const code = source
    .replace(IMPORT, (_, standard, named, namespace, from: string) => {
      const local = from.startsWith('.')
      const target = join(dirname(file), from)
      if (local) imports.push(target)
      else if (!from.startsWith('node:')) throw unknown(file, `import from '${from}'`)
      const value = local ? `\0module:${target}\0` : `require('${from}')`
      const pattern = named === undefined ? (standard ?? namespace) : `{${named.replace(/\bas\b/g, ':')}}`
      if (local && named === undefined) throw unknown(file, `import ${pattern} from '${from}'`)
      return `const ${pattern} = ${value}`
    })
    .replace(EXPORT, (_, name) => {
      exported.push(name)
      return ''
    })
  const leftOver = LEFT_OVER.exec(code)?.[0]
  if (leftOver) throw unknown(file, leftOver)
  return { file, imports, code: `${code.trim()}\nreturn { ${exported.join(', ')} }` }
}

const unknown = (file: string, line: string) =>
  new Error(
    `${file}: "${line}" is not understood; the agent imports by name, and exports functions, constants and classes`,
  )
