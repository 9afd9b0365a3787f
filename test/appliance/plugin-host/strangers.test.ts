/** What is asked of a plugin that did not come with the appliance, before a line of its code runs in the appliance. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { discoverPlugins } from '../../../appliance/plugin-host/discover.ts'
import { loadPlugins } from '../../../appliance/plugin-host/load.ts'
import { problemOf, requireTrust, trustedAccounts } from '../../../appliance/plugin-host/trust.ts'
import { keptLog } from '../records/state-folder.ts'
import { codeOf, layPlugin, manifestOf, pluginPath } from './plugin-folder.ts'

/** On a busy box, whoever is to end by itself takes its time. */
const PATIENCE_S = 60

const strangersWithin = (deadline_s: number) => ({ accounts: trustedAccounts(), deadline_s })

async function reasonFor(folder: string, deadline_s = PATIENCE_S): Promise<string | undefined> {
  const none = join(dirname(folder), 'none')
  mkdirSync(none, { recursive: true })
  const discovery = await discoverPlugins([folder], none)
  const strangers = strangersWithin(deadline_s)
  const { failures } = await loadPlugins('deploy', ['one'], discovery, { ...keptLog(), strangers })
  return failures[0]?.reason.replaceAll(folder, 'FOLDER')
}

describe("a stranger's folder", () => {
  it('that others may write to is refused, with what to do', async (t) => {
    const folder = layPlugin(pluginPath(t), 'one')
    chmodSync(folder, 0o777)

    const reason = await reasonFor(folder)

    assert.equal(
      reason,
      'the plugin in FOLDER is refused, as it would run as this appliance: FOLDER may be written by anybody. ' +
        'Look who wrote it, then: chown -R root: FOLDER, and chmod -R go-w FOLDER.',
    )
  })

  it('is refused for one file in it, and for a folder above it', async (t) => {
    const [one, other] = [layPlugin(pluginPath(t), 'one'), layPlugin(pluginPath(t), 'one')]
    mkdirSync(join(one, 'lib'))
    writeFileSync(join(one, 'lib/more.ts'), '')
    chmodSync(join(one, 'lib/more.ts'), 0o666)
    chmodSync(dirname(other), 0o777)

    assert.match((await reasonFor(one)) ?? '', /: FOLDER\/lib\/more\.ts may be written by anybody\./)
    assert.match((await reasonFor(other)) ?? '', /may be written by anybody\. .* chmod -R go-w \S+plugins-[^/]+\.$/)
  })

  it('is of an account that the appliance trusts; a group of its own may write to it', () => {
    const found = { uid: 1000, gid: 1000, mode: 0o40775 }

    assert.equal(problemOf(found, [0]), 'belongs to account 1000')
    assert.equal(problemOf(found, [0, 1000]), undefined)
    assert.equal(problemOf({ ...found, gid: 100 }, [1000]), 'may be written by group 100')
    assert.equal(problemOf({ ...found, mode: 0o41777 }, [1000]), 'may be written by anybody')
  })

  it('may be below a sticky folder of root, as /tmp is', async (t) => {
    const path = pluginPath(t)
    layPlugin(path, 'one')

    await requireTrust(join(path, 'one'), trustedAccounts())
  })

  it('may be of who called sudo, and of the owner of the state folder', (t) => {
    const path = pluginPath(t)

    const [asked, ...rest] = [trustedAccounts(path, { SUDO_UID: '4711' }), ...[trustedAccounts(path, {})]]

    assert.equal(asked.includes(4711), process.geteuid?.() === 0)
    assert.ok(rest[0]?.includes(statSync(path).uid))
  })

  it('with more files than a plugin has is refused', async (t) => {
    const folder = layPlugin(pluginPath(t), 'one')
    for (let number = 0; number < 1_000; number++) writeFileSync(join(folder, `${number}.txt`), '')

    assert.equal(await reasonFor(folder), "FOLDER holds more than 1000 files and folders: is it a plugin's folder?")
  })
})

describe("a stranger's code, as it is loaded", () => {
  const LOADS: readonly (readonly [does: string, code: string, reason: RegExp])[] = [
    ['loops for ever', 'for (;;);', /cannot be loaded: it did not load within 3 s$/],
    ['ends the process', 'process.exit(0)', /cannot be loaded: it ended the process that loaded it \(exit status 0\)$/],
    ['aborts the process', 'process.abort()', /it ended the process that loaded it \(SIGABRT\)$/],
    ['takes all memory', 'const all = []\nfor (;;) all.push(new Array(1e6).fill(1.5))', /it ended the process/],
    ['throws', 'throw new Error("no licence")', /cannot be loaded: no licence$/],
    ['throws nothing', 'throw undefined', /cannot be loaded: undefined$/],
    ['throws from a getter', 'export default { get apiVersion() { throw new Error("mine") } }', /mine$/],
    ['is a proxy that throws', 'export default new Proxy({}, { get() { throw 7 } })', /7$/],
    ['imports what is outside', "import '../outside.ts'", /outside\.ts, which lies outside the plugin's folder$/],
    ['imports by a link to what is outside', "import './link.ts'", /link\.ts, which lies outside the plugin's folder$/],
  ]
  for (const [does, code, reason] of LOADS) {
    it(`is refused when it ${does}, and ends nothing else`, async (t) => {
      const path = pluginPath(t)
      const folder = layPlugin(path, 'one', { code: `${code}\n${code.includes('export') ? '' : codeOf('one')}` })
      writeFileSync(join(path, 'outside.ts'), '')
      symlinkSync(join(path, 'outside.ts'), join(folder, 'link.ts'))

      assert.match((await reasonFor(folder, does === 'loops for ever' ? 3 : PATIENCE_S)) ?? '', reason)
    })
  }

  it('is given nothing of the environment', async (t) => {
    process.env.RACKSTRAP_TEST_SECRET = 'hunter2'
    t.after(() => delete process.env.RACKSTRAP_TEST_SECRET)
    const code = `throw new Error(String(process.env.RACKSTRAP_TEST_SECRET))\n${codeOf('one')}`

    assert.match((await reasonFor(layPlugin(pluginPath(t), 'one', { code }))) ?? '', /cannot be loaded: undefined$/)
  })
})

describe('the package.json of a plugin', () => {
  const reasonWith = async (t: TestContext, change: (file: string) => void) => {
    const path = pluginPath(t)
    const folder = layPlugin(path, 'one')
    change(join(folder, 'package.json'))
    const { failures } = await discoverPlugins([folder], path)
    return failures[0]?.reason.replaceAll(folder, 'FOLDER')
  }

  it('is not waited for when it is a FIFO', async (t) => {
    const reason = await reasonWith(t, (file) => {
      rmSync(file)
      execFileSync('mkfifo', [file])
    })

    assert.equal(reason, 'FOLDER/package.json is no regular file')
  })

  it('may be a link within the folder, and none out of it', async (t) => {
    const inside = await reasonWith(t, (file) => {
      renameSync(file, `${file}.real`)
      symlinkSync(`${file}.real`, file)
    })
    const outside = await reasonWith(t, (file) => {
      renameSync(file, join(dirname(file), '../elsewhere.json'))
      symlinkSync('../elsewhere.json', file)
    })

    assert.equal(inside, undefined)
    assert.match(outside ?? '', /^FOLDER\/package\.json is a link to \S+elsewhere\.json, which lies outside/)
  })

  it('of 10 MB is refused unread', async (t) => {
    const reason = await reasonWith(t, (file) => writeFileSync(file, ' '.repeat(10_000_000)))

    assert.equal(reason, "FOLDER/package.json has 10000000 bytes: a plugin's package.json has at most 65536")
  })
})

describe('plugin_packages', () => {
  async function found(t: TestContext, name: string, lay: (modules: string) => void) {
    const [none, state_path] = [pluginPath(t), pluginPath(t)]
    const modules = join(state_path, 'node_modules')
    mkdirSync(modules)
    lay(modules)
    const discovery = await discoverPlugins([], none, { packages: [name], state_path })
    const strangers = strangersWithin(PATIENCE_S)
    const loaded = await loadPlugins('deploy', ['foo'], discovery, { ...keptLog(), strangers })
    return { loaded, reason: loaded.failures[0]?.reason.replaceAll(state_path, 'STATE') }
  }
  const NAME = '@acme/rackstrap-deploy-foo'
  const typed = `import { more } from './lib/more.ts'\nimport { whole } from 'hoisted'\nconst text: string = more + whole\n`

  it('are found in the node_modules of the state folder, and may be TypeScript with packages of their own', async (t) => {
    const { loaded, reason } = await found(t, NAME, (modules) => {
      const folder = layPlugin(modules, NAME, {
        manifest: manifestOf('foo', { version: '2.1.0' }),
        code: `${typed}${codeOf('foo').replace('options: {}', 'options: {}, properties: { text }')}`,
      })
      mkdirSync(join(folder, 'lib'))
      writeFileSync(join(folder, 'lib/more.ts'), "export const more: string = 'more and '\n")
      mkdirSync(join(modules, 'hoisted'))
      writeFileSync(join(modules, 'hoisted/index.js'), "exports.whole = 'whole'\n")
    })

    assert.equal(reason, undefined)
    assert.deepEqual(loaded.plugins[0]?.plugin.properties, { text: 'more and whole' })
    assert.equal(loaded.plugins[0]?.manifest.version, '2.1.0')
  })

  it('that is not installed is told, with the command that installs it', async (t) => {
    const { reason } = await found(t, NAME, () => {})

    assert.equal(
      reason,
      `[DEFAULT] plugin_packages names ${NAME}, and STATE/node_modules/${NAME} is not there: npm install --prefix STATE ${NAME}`,
    )
  })

  it('that is another package is told', async (t) => {
    const { reason } = await found(t, 'left-pad', (modules) => {
      layPlugin(modules, 'left-pad', { manifest: { name: 'left-pad' } })
    })

    assert.equal(
      reason,
      'the npm package left-pad in STATE/node_modules/left-pad is no plugin: its package.json has no "appliance"',
    )
  })

  for (const name of ['../../etc', '/etc/passwd', '.', '@acme/../../x', 'a b', '']) {
    it(`takes no path for a name: ${JSON.stringify(name)}`, async (t) => {
      const { reason } = await found(t, name, () => {})

      assert.match(reason ?? '', /^\[DEFAULT\] plugin_packages names ".*": the name of an npm package is expected/)
    })
  }
})
