/** The agent's modules as one script: it does what they do, and what cannot run on a machine is refused. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { PxeError } from '../../../pxe/config.ts'
import { bundle } from '../../../pxe/ramdisk/bundle.ts'
import { fill, withFolder } from './folder.ts'

async function outputOf(folder: string): Promise<string> {
  const script = join(folder, 'bundled.js')
  await writeFile(script, bundle(join(folder, 'main.ts')))
  return execFileSync(process.execPath, [script], { encoding: 'utf8' })
}

describe('the bundled deploy steps of a layer', () => {
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

      await writeFile(join(folder, 'bundled.js'), bundle(join(folder, 'layers/podman/steps/index.ts')))
      const { steps } = createRequire(import.meta.url)(join(folder, 'bundled.js'))

      assert.deepEqual([Object.keys(steps), steps.install.priority], [['install'], 0])
      assert.equal(await steps.install.run(), 'mirror of quay.io')
    }))

  it('import nothing that is not on the machine', () =>
    withFolder(async (folder) => {
      await fill(folder, {
        'index.ts': "import { run } from './deep/run.ts'\nexport const steps = { a: run }",
        'deep/run.ts': "import { execa } from 'execa'\nexport const run = () => execa('true')",
      })

      assert.throws(() => bundle(join(folder, 'index.ts')), {
        constructor: PxeError,
        message:
          `${join(folder, 'deep/run.ts')} imports 'execa', which is not on the machine: ` +
          'import modules of Node (node:...) and files beside it.',
      })
    }))

  it('are the same script wherever they lie, whatever tsconfig.json lies above', () =>
    withFolder(async (folder) => {
      const files = {
        'registries.ts': "export class Registry { host = 'quay.io' }",
        'steps/index.ts': "import { Registry } from '../registries.ts'\nexport const steps = { a: new Registry() }",
      }
      await fill(join(folder, 'one'), files)
      await fill(join(folder, 'another/place'), files)
      await fill(folder, { 'another/tsconfig.json': '{ "compilerOptions": { "useDefineForClassFields": false } }' })

      const [one, another] = ['one', 'another/place'].map((place) => bundle(join(folder, place, 'steps/index.ts')))

      assert.equal(one, another)
    }))
})

describe('the bundled agent', () => {
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

  it('loses nothing of what a module can export: lists, defaults, names of other modules, values that change', () =>
    withFolder(async (folder) => {
      await fill(folder, {
        'main.ts': [
          "import './effect.ts'",
          "import standard, { a, b, counter, count, renamed } from './exports.ts'",
          'count()',
          'console.log(a, b, counter, renamed, standard)',
        ].join('\n'),
        'effect.ts': "console.log('effect')",
        'exports.ts': [
          "export { leaf as renamed } from './leaf.ts'",
          'export const a = 1, b = 2',
          'export let counter = 0',
          'export const count = () => { counter += 1 }',
          'export default 3',
        ].join('\n'),
        'leaf.ts': "export const leaf = 'leaf'",
      })

      assert.equal(await outputOf(folder), 'effect\n1 2 1 leaf 3\n')
    }))

  for (const [what, source, message] of [
    ['does not parse', 'const a =\n', ':2: Unexpected end of file'],
    ['is not there', "import { a } from './b.ts'\nconsole.log(a)", `:1: Could not resolve "./b.ts"`],
    [
      'is exported by nobody',
      "import { none } from './leaf.ts'\nnone()",
      ':1: No matching export in "leaf.ts" for import "none"',
    ],
    ['is known only to a module', 'console.log(import.meta.dirname)', ':1: "import.meta" is not available with the'],
  ] as const) {
    it(`is refused with file and line for what ${what}`, () =>
      withFolder(async (folder) => {
        await fill(folder, { 'main.ts': source, 'leaf.ts': 'export const leaf = 1\n' })
        const start = `${join(folder, 'main.ts')}${message}`

        assert.throws(
          () => bundle(join(folder, 'main.ts')),
          (error) => error instanceof PxeError && error.message.startsWith(start),
        )
      }))
  }

  it('of this checkout ends with a reason where it has no kernel command line', () =>
    withFolder(async (folder) => {
      const script = join(folder, 'agent.js')
      await writeFile(script, bundle(join(import.meta.dirname, '../../../pxe/ramdisk/agent/main.ts')))
      await fill(folder, { 'machine/proc/cmdline': 'console=ttyS0\n' })

      assert.throws(
        () => execFileSync(process.execPath, [script, join(folder, 'machine')], { encoding: 'utf8', stdio: 'pipe' }),
        { status: 1, stderr: /The kernel parameter ipa-api-url names no Ironic API/ },
      )
    }))
})
