/** The plugin of plugins/TUTORIAL.md as a stranger has it after an hour: every block of the page in its file. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { blockOf } from '../rack/markdown-block.ts'

export const PAGE = ['TUTORIAL.md', 'LAYERS.md']
  .map((name) => readFileSync(join(import.meta.dirname, '../../plugins', name), 'utf8'))
  .join('\n')

export const block = (language: string, heading = '', of = PAGE): string => blockOf(of, language, heading)

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
