/** The shell scripts of the ramdisk, and the programs that the agent calls. init's own are applets of its shell. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, it } from 'node:test'
import { APPLETS, PROGRAMS } from '../../../pxe/ramdisk/recipe.ts'

const RAMDISK = join(import.meta.dirname, '../../../pxe/ramdisk')

describe('scripts of the ramdisk', () => {
  for (const script of ['init', 'usr/share/udhcpc/default.script', 'usr/lib/rackstrap/say.sh']) {
    it(`${script} is understood by a shell`, () => {
      execFileSync('sh', ['-n', join(RAMDISK, 'root', script)], { stdio: 'pipe' })
    })
  }
})

describe('programs that the agent calls', () => {
  it('are all in the ramdisk, or in layers of its own', () => {
    const sources = globSync('agent/**/*.ts', { cwd: RAMDISK }).map((file) => readFileSync(join(RAMDISK, file), 'utf8'))
    const text = sources.join('\n')
    const called = [...text.matchAll(/\brun\('([a-z-]+)'/g)].map(([, name = '']) => name)
    const logged = [...text.matchAll(/^ {2}\w+: \['([a-z]+)'/gm)].map(([, name = '']) => name)
    const layers = globSync('layers/*/layer.json', { cwd: RAMDISK })
    const brought = layers.flatMap((file) => JSON.parse(readFileSync(join(RAMDISK, file), 'utf8')).programs as string[])
    const present = new Set([...APPLETS, ...[...PROGRAMS, ...brought].map((path) => basename(path))])

    const missing = [...called, ...logged, 'poweroff', 'reboot'].filter((name) => !present.has(name))

    assert.ok(called.includes('sync') && logged.includes('dmesg'), 'the calls are found')
    assert.deepEqual(missing, [])
  })
})
