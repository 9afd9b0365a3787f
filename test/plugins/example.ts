/** The plugin of plugins/TUTORIAL.md as a stranger has it after an hour: every block of the page in its file. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const PAGE = ['TUTORIAL.md', 'LAYERS.md']
  .map((name) => readFileSync(join(import.meta.dirname, '../../plugins', name), 'utf8'))
  .join('\n')

/** The first block of this language below a heading, or on the page. */
export function block(language: string, heading = '', of = PAGE): string {
  const page = of.slice(of.indexOf(heading))
  const [, text] = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(page) ?? []
  assert.ok(text, `plugins/TUTORIAL.md has no block of ${language}`)
  return text
}

/** @param folder  of the plugin; made. @returns the folder of its layer */
export function writeExample(folder: string): string {
  const files = {
    'package.json': block('json'),
    'index.ts': block('ts'),
    'README.md': 'Says hello.\n',
    'layers/hello/layer.json': '{}',
    'layers/hello/steps/index.ts': block('typescript'),
  }
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return join(folder, 'layers/hello')
}
