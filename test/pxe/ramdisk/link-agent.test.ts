/** The agent's modules as one script: it does what they do, or is refused. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { linkAgent, linkSteps } from '../../../pxe/ramdisk/link-agent.ts'
import { fill, withFolder } from './folder.ts'

async function outputOf(folder: string): Promise<string> {
  const script = join(folder, 'linked.js')
  await writeFile(script, await linkAgent(join(folder, 'main.ts')))
  return execFileSync(process.execPath, [script], { encoding: 'utf8' })
}

describe('the linked deploy steps of a layer', () => {
  it('are one CommonJS module that exports what the entry does, with files from beside and above it', () =>
    withFolder(async (folder) => {
      await fill(folder, {
        'registries.ts': 'export const text = (host: string): string => `mirror of ${host}`',
        'layers/podman/steps/install.ts':
          "import { text } from '../../../registries.ts'\nexport const install = async () => text('quay.io')",
        'layers/podman/steps/index.ts': [
          "import type { Steps } from '@appliance/pxe/agent-api'",
          "import { install } from './install.ts'",
          'export const steps: Steps = { install: { priority: 0, run: install } }',
        ].join('\n'),
      })

      await writeFile(join(folder, 'linked.js'), await linkSteps(join(folder, 'layers/podman/steps/index.ts')))
      const { steps } = createRequire(import.meta.url)(join(folder, 'linked.js'))

      assert.deepEqual([Object.keys(steps), steps.install.priority], [['install'], 0])
      assert.equal(await steps.install.run(), 'mirror of quay.io')
    }))

  it('import nothing that is not on the machine', () =>
    withFolder(async (folder) => {
      const index = join(folder, 'index.ts')
      await fill(folder, { 'index.ts': "import { execa } from 'execa'\nexport const steps = { a: execa }" })

      await assert.rejects(linkSteps(index), {
        message: `${index}: "import from 'execa'" is not understood; the agent imports by name, and exports functions, constants and classes`,
      })
    }))
})

describe('the linked agent', () => {
  it('runs as its modules do: each once, in the order of their imports, types gone', () =>
    withFolder(async (folder) => {
      await fill(folder, {
        'main.ts': [
          "import { join } from 'node:path'",
          "import path from 'node:path'",
          "import * as os from 'node:os'",
          "import type { Shape } from './deep/leaf.ts'",
          "import { leaf as renamed, type Shape as Same } from './deep/leaf.ts'",
          "import { Middle } from './middle.ts'",
          'const shape: Shape = { side: 2 }',
          'console.log(join("a", "b"), path.sep, typeof os.EOL, renamed(shape), new Middle().name)',
        ].join('\n'),
        'middle.ts':
          "import { leaf } from './deep/leaf.ts'\nexport class Middle { get name() { return `m${leaf({ side: 3 })}` } }",
        'deep/leaf.ts': [
          'export type Shape = { side: number }',
          'console.log("leaf is read")',
          'export function leaf({ side }: Shape): number { return side * side }',
          'export async function* unused(): AsyncGenerator<number> { yield 1 }',
          'export const CONSTANT = 1',
        ].join('\n'),
      })

      assert.equal(await outputOf(folder), 'leaf is read\na/b / string 4 m9\n')
    }))

  it('refuses a form that it does not understand, with file and line', () =>
    withFolder(async (folder) => {
      const forms = {
        'export default 1': 'export default 1',
        "export { leaf } from './leaf.ts'": "export { leaf } from './leaf.ts'",
        'export let counter = 0': 'export let counter = 0',
        "import './leaf.ts'": "import './leaf.ts'",
        "import leaf from './leaf.ts'": "import leaf from './leaf.ts'",
      }
      await fill(folder, { 'leaf.ts': 'export const leaf = 1\n' })

      for (const [source, line] of Object.entries(forms)) {
        await writeFile(join(folder, 'main.ts'), `${source}\n`)
        await assert.rejects(linkAgent(join(folder, 'main.ts')), {
          message:
            `${join(folder, 'main.ts')}: "${line}" is not understood; the agent imports by name, and exports functions, ` +
            'constants and classes',
        })
      }
    }))

  it('refuses a circle of imports, and shows it', () =>
    withFolder(async (folder) => {
      const [a, b] = [join(folder, 'main.ts'), join(folder, 'b.ts')]
      await fill(folder, {
        'main.ts': "import { b } from './b.ts'\nexport const a = 1\n",
        'b.ts': "import { a } from './main.ts'\nexport const b = 1\n",
      })

      await assert.rejects(linkAgent(a), { message: `Imports go in a circle: ${a} > ${b} > ${a}` })
    }))

  it('of this checkout ends with a reason where it has no kernel command line', () =>
    withFolder(async (folder) => {
      const script = join(folder, 'agent.js')
      await writeFile(script, await linkAgent(join(import.meta.dirname, '../../../pxe/ramdisk/agent/main.ts')))
      await fill(folder, { 'machine/proc/cmdline': 'console=ttyS0\n' })

      assert.throws(
        () => execFileSync(process.execPath, [script, join(folder, 'machine')], { encoding: 'utf8', stdio: 'pipe' }),
        { status: 1, stderr: /The kernel parameter ipa-api-url names no Ironic API/ },
      )
    }))
})
