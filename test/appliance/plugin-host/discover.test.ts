/** Where plugins are looked for, in which order, and what is said about those that are none. */
import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { BUNDLED_PLUGINS, discoverPlugins } from '../../../appliance/plugin-host/discover.ts'
import { layPlugin, manifestOf, pluginPath } from './plugin-folder.ts'

describe('plugin_path', () => {
  it('may name a folder of plugins and the folder of one; the bundled ones come first', async (t) => {
    const [bundled, many, other] = [pluginPath(t), pluginPath(t), pluginPath(t)]
    layPlugin(bundled, 'own')
    layPlugin(many, 'b')
    layPlugin(many, 'a')
    const single = layPlugin(other, 'single')

    const { found, failures, searched } = await discoverPlugins([many, single], bundled)

    assert.deepEqual(
      found.map(({ name }) => name),
      ['own', 'a', 'b', 'single'],
    )
    assert.deepEqual(failures, [])
    assert.deepEqual(searched, [bundled, many, single])
  })

  it('finds what comes with the appliance when it is empty', async () => {
    const { found, failures, searched } = await discoverPlugins([])

    assert.ok(found.length > 0)
    assert.ok(found.every(({ folder }) => folder.startsWith(BUNDLED_PLUGINS)))
    assert.deepEqual(failures, [])
    assert.deepEqual(searched, [BUNDLED_PLUGINS])
  })

  it('passes over files, hidden things and packages that are no plugins', async (t) => {
    const path = pluginPath(t)
    layPlugin(path, 'good')
    layPlugin(path, 'library', { manifest: { name: 'library' } })
    mkdirSync(join(path, 'node_modules'))
    writeFileSync(join(path, 'README.md'), '')

    const { found, failures } = await discoverPlugins([], path)

    assert.deepEqual(
      found.map(({ name }) => name),
      ['good'],
    )
    assert.deepEqual(failures, [])
  })

  it('follows a link to the folder of a plugin that lies elsewhere', async (t) => {
    const [path, elsewhere] = [pluginPath(t), pluginPath(t)]
    symlinkSync(layPlugin(elsewhere, 'linked'), join(path, 'linked'))
    symlinkSync(join(elsewhere, 'gone'), join(path, 'dangling'))

    const { found, failures } = await discoverPlugins([], path)

    assert.deepEqual(
      found.map(({ name, entry }) => [name, entry]),
      [['linked', join(elsewhere, 'linked/index.ts')]],
    )
    assert.deepEqual(failures, [])
  })

  it('tells of a refused plugin, and finds the rest', async (t) => {
    const path = pluginPath(t)
    layPlugin(path, 'good')
    const bad = layPlugin(path, 'bad', { manifest: manifestOf('bad', { appliance: { kind: 'site' } }) })

    const { found, failures } = await discoverPlugins([], path)

    assert.deepEqual(
      found.map(({ name }) => name),
      ['good'],
    )
    assert.deepEqual(failures, [
      {
        name: bad,
        reason: `appliance.kind in ${join(bad, 'package.json')} is "site": expected one of deploy, power, management, boot, inspect, raid, bios, firmware, console, rescue, vendor, network, storage`,
      },
    ])
  })

  it('gives a name to the first that claims it, and says so to the second', async (t) => {
    const [bundled, strangers] = [pluginPath(t), pluginPath(t)]
    const first = layPlugin(bundled, 'twin')
    const second = layPlugin(strangers, 'other', { manifest: manifestOf('twin') })

    const { found, failures } = await discoverPlugins([strangers], bundled)

    assert.deepEqual(
      found.map(({ folder }) => folder),
      [first],
    )
    assert.deepEqual(failures, [
      {
        name: 'twin',
        reason: `${second} holds a plugin named "twin", and so does ${first}, which came first: give the second another name`,
      },
    ])
  })

  it('may name the same folder twice', async (t) => {
    const path = pluginPath(t)
    layPlugin(path, 'good')

    const { found, failures } = await discoverPlugins([path, join(path, 'good')], path)

    assert.equal(found.length, 1)
    assert.deepEqual(failures, [])
  })

  it('that is not there is told, and does not hide the others', async (t) => {
    const path = pluginPath(t)
    layPlugin(path, 'good')
    const gone = join(path, 'gone')

    const { found, failures } = await discoverPlugins([gone], path)

    assert.equal(found.length, 1)
    assert.deepEqual(failures, [
      {
        name: gone,
        reason: `plugin folder ${gone} cannot be read: ENOENT: no such file or directory, scandir '${gone}'`,
      },
    ])
  })
})
