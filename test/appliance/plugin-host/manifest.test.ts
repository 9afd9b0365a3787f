/** The manifest is read before any code of a plugin runs; each refusal says what was found and what is accepted. */
import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { PluginRefused, readManifest } from '../../../appliance/plugin-host/manifest.ts'
import { layPlugin, manifestOf, pluginPath } from './plugin-folder.ts'

/** What `FILE` stands for in the texts is the plugin's package.json. */
const REFUSALS: readonly { given: string; manifest: unknown; text: string }[] = [
  {
    given: 'is not JSON',
    manifest: '{"a"',
    text: "FILE is not JSON: Expected ':' after property name in JSON at position 4 (line 1 column 5)",
  },
  { given: 'is a list', manifest: [], text: 'FILE is not a JSON object' },
  { given: 'is null', manifest: 'null', text: 'FILE is not a JSON object' },
  {
    given: 'is larger than 64 KiB',
    manifest: ' '.repeat(70_000),
    text: "FILE has 70000 bytes: a plugin's package.json has at most 65536",
  },
  {
    given: 'has a text for "appliance"',
    manifest: manifestOf('x', { appliance: 'deploy' }),
    text: '"appliance" in FILE is "deploy": an object with kind, name and apiVersion is expected',
  },
  {
    given: 'has null for "appliance"',
    manifest: manifestOf('x', { appliance: null }),
    text: '"appliance" in FILE is null: an object with kind, name and apiVersion is expected',
  },
  {
    given: 'has another kind',
    manifest: manifestOf('x', { appliance: { kind: 'site', name: 'x', apiVersion: '1' } }),
    text: 'appliance.kind in FILE is "site": expected one of deploy, power, management, boot, inspect, raid, bios, firmware, console, rescue, vendor, network, storage',
  },
  {
    given: 'has no kind',
    manifest: manifestOf('x', { appliance: { name: 'x', apiVersion: '1' } }),
    text: 'appliance.kind in FILE is undefined: expected one of deploy, power, management, boot, inspect, raid, bios, firmware, console, rescue, vendor, network, storage',
  },
  {
    given: 'has a name that could be a path',
    manifest: manifestOf('x', { appliance: { kind: 'deploy', name: '../x', apiVersion: '1' } }),
    text: 'appliance.name in FILE is "../x": lower case letters, digits and hyphens are expected, a letter first',
  },
  {
    given: 'has no name',
    manifest: manifestOf('x', { appliance: { kind: 'deploy', apiVersion: '1' } }),
    text: 'appliance.name in FILE is undefined: lower case letters, digits and hyphens are expected, a letter first',
  },
  {
    given: 'was made for another version of the contract',
    manifest: manifestOf('x', { appliance: { kind: 'deploy', name: 'x', apiVersion: '2' } }),
    text:
      'appliance.apiVersion in FILE is "2": this appliance speaks "1". ' +
      'Take the release of the plugin that names this version, or another release of the appliance.',
  },
  {
    given: 'has a number for a version',
    manifest: manifestOf('x', { appliance: { kind: 'deploy', name: 'x', apiVersion: 1 } }),
    text:
      'appliance.apiVersion in FILE is 1: this appliance speaks "1". ' +
      'Take the release of the plugin that names this version, or another release of the appliance.',
  },
  {
    given: 'exports by conditions',
    manifest: manifestOf('x', { exports: { '.': { import: './index.ts' } } }),
    text: '"exports" in FILE is {".":{"import":"./index.ts"}}: the path of one file is expected, e.g. "./index.ts"',
  },
  {
    given: 'names an entry that is not there',
    manifest: manifestOf('x', { exports: './gone.ts' }),
    text: 'FILE names ./gone.ts as entry, and there is no such file',
  },
  {
    given: 'names no entry, and there is no index.js',
    manifest: manifestOf('x', { exports: undefined }),
    text: 'FILE names index.js as entry, and there is no such file',
  },
  {
    given: 'names an entry above its folder',
    manifest: manifestOf('x', { exports: '../outside.ts' }),
    text: "FILE names ../outside.ts as entry, which lies outside the plugin's folder",
  },
  {
    given: 'names an absolute path that is not there',
    manifest: manifestOf('x', { exports: '/etc/passwd' }),
    text: 'FILE names /etc/passwd as entry, and there is no such file',
  },
]

describe('the manifest of a plugin', () => {
  it('names the plugin and the file of its code', async (t) => {
    const folder = layPlugin(pluginPath(t), 'good')

    const manifest = await readManifest(folder)

    assert.deepEqual(manifest, {
      kind: 'deploy',
      name: 'good',
      apiVersion: '1',
      folder,
      entry: join(folder, 'index.ts'),
    })
  })

  for (const [given, change] of [
    ['exports with a table of paths', { exports: { '.': './index.ts' } }],
    ['main', { exports: undefined, main: 'index.ts' }],
  ] as const) {
    it(`may name that file by ${given}`, async (t) => {
      const folder = layPlugin(pluginPath(t), 'good', { manifest: manifestOf('good', change) })

      assert.equal((await readManifest(folder))?.entry, join(folder, 'index.ts'))
    })
  }

  for (const { given, manifest, text } of REFUSALS) {
    it(`that ${given} is refused`, async (t) => {
      const path = pluginPath(t)
      writeFileSync(join(path, 'outside.ts'), '')
      const folder = layPlugin(path, 'x', { manifest })

      await assert.rejects(readManifest(folder), (error: PluginRefused) => {
        assert.ok(error instanceof PluginRefused)
        assert.equal(error.message, text.replace('FILE', join(folder, 'package.json')))
        return true
      })
    })
  }

  it('whose entry is a link to a file outside of its folder is refused', async (t) => {
    const path = pluginPath(t)
    const folder = layPlugin(path, 'x', { manifest: manifestOf('x', { exports: './link.ts' }) })
    writeFileSync(join(path, 'outside.ts'), '')
    symlinkSync('../outside.ts', join(folder, 'link.ts'))

    await assert.rejects(readManifest(folder), {
      message: `${join(folder, 'package.json')} names ./link.ts as entry, which lies outside the plugin's folder`,
    })
  })

  it('may have an entry whose name only looks as if it led outside', async (t) => {
    const folder = layPlugin(pluginPath(t), 'x', { manifest: manifestOf('x', { exports: './..index.ts' }) })
    writeFileSync(join(folder, '..index.ts'), '')

    assert.equal((await readManifest(folder))?.entry, join(folder, '..index.ts'))
  })

  it('whose entry is a folder is refused', async (t) => {
    const folder = layPlugin(pluginPath(t), 'x', { manifest: manifestOf('x', { exports: './lib' }) })
    mkdirSync(join(folder, 'lib'))

    await assert.rejects(readManifest(folder), {
      message: `${join(folder, 'package.json')} names ./lib as entry, which is no file`,
    })
  })

  it('is none when the package does not say that it is a plugin, or when there is no package', async (t) => {
    const path = pluginPath(t)
    const folder = layPlugin(path, 'library', { manifest: { name: 'library', version: '1.0.0' } })

    assert.equal(await readManifest(folder), undefined)
    assert.equal(await readManifest(path), undefined)
    assert.equal(await readManifest(join(path, 'not-there')), undefined)
  })
})
