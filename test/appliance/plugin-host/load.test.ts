/** Which plugins are imported, in which order, and what becomes of one that breaks: it is left out with a reason. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { DeployPlugin } from '../../../appliance/plugin-api/index.ts'
import { discoverPlugins } from '../../../appliance/plugin-host/discover.ts'
import { loadPlugins } from '../../../appliance/plugin-host/load.ts'
import { problemsOf } from '../../../appliance/plugin-host/shape.ts'
import { keptLog } from '../records/state-folder.ts'
import { codeOf, layPlugin, pluginPath } from './plugin-folder.ts'

async function loadOne(t: TestContext, code: string) {
  const path = pluginPath(t)
  const folder = layPlugin(path, 'one', { code })
  const { plugins, failures } = await loadPlugins('deploy', ['one'], await discoverPlugins([], path), keptLog())
  return { plugins, reason: failures[0]?.reason.replace(join(folder, 'index.ts'), 'ENTRY') }
}

describe('enabled_deploy_interfaces', () => {
  it('loads those it names, in its order, each once', async (t) => {
    const path = pluginPath(t)
    for (const name of ['a', 'b', 'c']) layPlugin(path, name)
    const { log, lines } = keptLog()

    const { plugins, failures } = await loadPlugins('deploy', ['c', 'a', 'c'], await discoverPlugins([], path), { log })

    assert.deepEqual(
      plugins.map(({ plugin, manifest }) => [plugin.name, manifest.folder]),
      [
        ['c', join(path, 'c')],
        ['a', join(path, 'a')],
      ],
    )
    assert.deepEqual(failures, [])
    assert.deepEqual(
      lines.map(({ level, message, plugin }) => ({ level, message, plugin })),
      ['c', 'a'].map((plugin) => ({ level: 'info', message: 'plugin loaded', plugin })),
    )
  })

  it('runs no code of a plugin that it does not name', async (t) => {
    const path = pluginPath(t)
    const trace = join(path, 'trace')
    const code = `import { writeFileSync } from 'node:fs'\nwriteFileSync(${JSON.stringify(trace)}, '')\n${codeOf('spy')}`
    layPlugin(path, 'spy', { code })
    const discovery = await discoverPlugins([], path)

    await loadPlugins('deploy', [], discovery, keptLog())
    const untouched = !existsSync(trace)
    await loadPlugins('deploy', ['spy'], discovery, keptLog())

    assert.ok(untouched)
    assert.ok(existsSync(trace))
  })

  it('loads a plugin that has more than this release knows of', async (t) => {
    const path = pluginPath(t)
    const code = codeOf('later').replace('export default {', 'export default { serviceSteps: () => [],')
    layPlugin(path, 'later', { code })

    const { plugins, failures } = await loadPlugins('deploy', ['later'], await discoverPlugins([], path), keptLog())

    assert.ok('serviceSteps' in (plugins[0]?.plugin ?? {}))
    assert.deepEqual(failures, [])
  })

  it('says where it looked for a name that is nowhere', async (t) => {
    const [bundled, path] = [pluginPath(t), pluginPath(t)]
    layPlugin(bundled, 'a')
    const { log, lines } = keptLog()

    const { plugins, failures } = await loadPlugins('deploy', ['a', 'z'], await discoverPlugins([path], bundled), {
      log,
    })

    const reason =
      `enabled_deploy_interfaces names "z", and no plugin of this name is in ${bundled}, ${path} (found: a). ` +
      'Take the name away, or add its folder to [DEFAULT] plugin_path.'
    assert.equal(plugins.length, 1)
    assert.deepEqual(failures, [{ name: 'z', reason }])
    assert.deepEqual(
      lines
        .filter(({ level }) => level === 'error')
        .map(({ message, plugin, reason }) => ({ message, plugin, reason })),
      [{ message: 'plugin refused', plugin: 'z', reason }],
    )
  })

  it('loads the rest when one of them breaks', async (t) => {
    const path = pluginPath(t)
    layPlugin(path, 'broken', { code: 'throw new Error("no licence")\n' })
    layPlugin(path, 'good')

    const { plugins, failures } = await loadPlugins(
      'deploy',
      ['broken', 'good'],
      await discoverPlugins([], path),
      keptLog(),
    )

    assert.deepEqual(
      plugins.map(({ plugin }) => plugin.name),
      ['good'],
    )
    assert.deepEqual(failures, [
      { name: 'broken', reason: `plugin ${join(path, 'broken/index.ts')} cannot be loaded: no licence` },
    ])
  })
})

describe('the code of a plugin', () => {
  it('that cannot be parsed is refused', async (t) => {
    const { plugins, reason } = await loadOne(t, 'export default {{\n')

    assert.deepEqual(plugins, [])
    assert.match(reason ?? '', /^plugin ENTRY cannot be loaded: /)
  })

  it('that throws something that is no error is refused', async (t) => {
    assert.equal((await loadOne(t, 'throw "a text"\n')).reason, 'plugin ENTRY cannot be loaded: a text')
  })

  it('that imports what is not there is refused', async (t) => {
    const { reason } = await loadOne(t, `import 'left-pad'\n${codeOf('one')}`)

    assert.match(reason ?? '', /^plugin ENTRY cannot be loaded: Cannot find package 'left-pad' imported from /)
  })

  it('that never finishes loading is given up after 10 s, and does not keep the appliance from starting', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const path = pluginPath(t)
    const hangs = Promise.withResolvers<void>()
    Object.assign(globalThis, { hangs: hangs.resolve })
    t.after(() => Reflect.deleteProperty(globalThis, 'hangs'))
    const folder = layPlugin(path, 'hangs', { code: `hangs()\nawait new Promise(() => {})\n${codeOf('hangs')}` })
    layPlugin(path, 'good')
    const loading = loadPlugins('deploy', ['hangs', 'good'], await discoverPlugins([], path), keptLog())

    await hangs.promise
    t.mock.timers.tick(10_000)
    const { plugins, failures } = await loading

    assert.equal(plugins.length, 1)
    assert.deepEqual(failures, [
      { name: 'hangs', reason: `plugin ${join(folder, 'index.ts')} cannot be loaded: it did not load within 10 s` },
    ])
  })

  it('that exports no default is refused', async (t) => {
    const { reason } = await loadOne(t, 'export const plugin = {}\n')

    assert.equal(reason, 'plugin ENTRY is refused: its default export is undefined, and the plugin object is expected')
  })

  it('that calls itself otherwise than its manifest is refused', async (t) => {
    const { reason } = await loadOne(t, codeOf('other'))

    assert.equal(reason, 'plugin ENTRY is refused: name is "other", and its manifest says "one"')
  })

  it('is told everything that is wrong with it at once', async (t) => {
    const { reason } = await loadOne(t, 'export default { apiVersion: "7", name: "one", validate: true }\n')

    assert.equal(
      reason,
      'plugin ENTRY is refused: apiVersion is "7", and "1" is accepted; validate is of type boolean, and a function is expected; ' +
        'deploySteps is of type undefined, and a function is expected; usesAgent is of type undefined, and a boolean is expected; ' +
        'options is missing, and a table is expected (it may be empty)',
    )
  })
})

describe('a plugin object', () => {
  const good: DeployPlugin = {
    apiVersion: '1',
    name: 'good',
    usesAgent: true,
    options: {
      a: { section: 'good', help: 'A number.', type: 'integer', default: 3 },
      b: { section: 'good', help: 'A list.', type: 'list', default: ['x'] },
      c: { section: 'good', help: 'A text.', type: 'string' },
    },
    properties: { image_source: 'Where the image is.' },
    ramdiskLayers: ['podman'],
    validate: async () => {},
    prepare: async () => {},
    deploySteps: () => [],
    cleanUp: async () => {},
  }
  const option = (value: unknown) => problemsOf({ ...good, options: { x: value } }, 'good')
  const text = { section: 's', help: 'h', type: 'string' }

  it('as the contract has it is taken', () => {
    assert.deepEqual(problemsOf(good, 'good'), [])
  })

  it('is an object', () => {
    const sentence = (type: string) => [`its default export is ${type}, and the plugin object is expected`]

    assert.deepEqual(problemsOf(null, 'good'), sentence('null'))
    assert.deepEqual(
      problemsOf(() => good, 'good'),
      sentence('function'),
    )
  })

  it('may leave out prepare, cleanSteps and cleanUp, and has functions for them otherwise', () => {
    assert.deepEqual(problemsOf({ ...good, prepare: undefined, cleanUp: undefined }, 'good'), [])
    assert.deepEqual(problemsOf({ ...good, prepare: 'now', cleanSteps: [], cleanUp: null }, 'good'), [
      'cleanSteps is of type object, and a function is expected',
      'prepare is of type string, and a function is expected',
      'cleanUp is of type object, and a function is expected',
    ])
  })

  it('has options that say their section, type, help and a fitting default', () => {
    assert.deepEqual(option(null), ['option x is not an object'])
    assert.deepEqual(option({ ...text, type: 'float' }), [
      'option x has the type "float", and one of string, integer, boolean, list is expected',
    ])
    assert.deepEqual(option({ ...text, type: 'constructor' }), [
      'option x has the type "constructor", and one of string, integer, boolean, list is expected',
    ])
    assert.deepEqual(option({ ...text, section: '' }), ['option x names no section'])
    assert.deepEqual(option({ ...text, help: undefined }), ['option x has no help text'])
    assert.deepEqual(option({ ...text, default: 1 }), ['option x has a default that is not of type string'])
    assert.deepEqual(option({ ...text, type: 'list', default: ['a', 1] }), [
      'option x has a default that is not of type list',
    ])
  })

  it('has paths of secrets and addresses, and at least one of both', () => {
    const fits = { secrets: ['driver_info/foo_password'], address: ['driver_info/foo_address'] }

    assert.deepEqual(problemsOf({ ...good, boundSecrets: [fits] }, 'good'), [])
    for (const bad of [
      { ...fits, address: [] },
      { ...fits, secrets: ['foo_password'] },
      { ...fits, defaults: 'foo' },
      'foo_password',
    ]) {
      assert.deepEqual(problemsOf({ ...good, boundSecrets: [bad] }, 'good'), [
        'boundSecrets is not a list of { secrets, address }, lists of paths such as driver_info/ipmi_password',
      ])
    }
  })

  it('has names of ramdisk layers that cannot be paths, and texts for properties', () => {
    assert.deepEqual(problemsOf({ ...good, ramdiskLayers: ['../etc'], properties: { a: 1 } }, 'good'), [
      'properties is not a table of names and texts',
      'ramdiskLayers is not a list of layer names',
    ])
  })
})
