/** `rackstrap plugins new` and `check` as an author types them, in a folder that knows nothing of Rackstrap. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { CHECKOUT } from '../../rack/cache.ts'
import { layPlugin, manifestOf, pluginPath } from '../plugin-host/plugin-folder.ts'

const CLI = join(CHECKOUT, 'appliance/cli.ts')

function typed(folder: string, ...args: string[]) {
  // A test that starts tests of others is not to hand on what it tells its own runner by.
  const { NODE_TEST_CONTEXT: _own, ...env } = process.env
  return spawnSync(process.execPath, [CLI, 'plugins', ...args], { cwd: folder, env, encoding: 'utf8', timeout: 60_000 })
}

describe('rackstrap plugins new', () => {
  it('writes a plugin whose types an editor finds, and that passes its check', (t) => {
    const place = pluginPath(t)

    const written = typed(place, 'new', 'load-balancer')
    const folder = join(place, 'load-balancer')
    const compiled = spawnSync(join(CHECKOUT, 'node_modules/.bin/tsc'), ['-p', folder], { cwd: '/', encoding: 'utf8' })
    const checked = typed(place, 'check', 'load-balancer')

    assert.match(written.stdout, /load-balancer holds a plugin that works:\n {2}README\.md\n {2}index\.ts\n/)
    assert.deepEqual([compiled.stdout, compiled.status], ['', 0])
    assert.equal(checked.status, 0, checked.stdout + checked.stderr)
    assert.match(checked.stdout, /✔ manifest\n✔ nobody else may write to it\n✔ loads.*\n✔ layers\n/)
    assert.match(checked.stdout, /pass 2\d\n.*fail 0\n/)
    assert.doesNotMatch(readFileSync(join(folder, 'README.md'), 'utf8'), /`hello|\[hello/)
  })

  it('writes over nothing, and takes no path for a name', (t) => {
    const place = pluginPath(t)
    layPlugin(place, 'mine')

    assert.match(typed(place, 'new', 'mine').stderr, /mine is there already: name a folder that is not\n$/)
    assert.match(typed(place, 'new', '../x').stderr, /"\.\.\/x" is no name of a plugin/)
  })
})

describe('rackstrap plugins check', () => {
  const failing = (t: TestContext, change: (folder: string) => void) => {
    const place = pluginPath(t)
    const folder = layPlugin(place, 'one', { manifest: manifestOf('one') })
    change(folder)
    const { status, stdout } = typed(place, 'check', 'one')
    return { status, told: stdout.replaceAll(folder, 'FOLDER') }
  }

  it('tests what it can of a plugin without a test, and says that there is none', (t) => {
    const { status, told } = failing(t, (folder) => rmSync(join(folder, 'package.json.none'), { force: true }))

    assert.equal(status, 1)
    assert.match(told, /✖ explains itself in a README\n {2}it has no README\.md/)
    assert.match(told, /✖ names its steps in snake_case, each once\n {2}deploySteps gives no step/)
    assert.match(told, /The folder has no one\.test\.ts, so nothing was deployed on paper/)
  })

  it('ends at the first thing that is wrong before its code runs', (t) => {
    const { status, told } = failing(t, (folder) => writeFileSync(join(folder, 'package.json'), '{'))

    assert.equal(status, 1)
    assert.match(told, /^✖ manifest\n {2}FOLDER\/package\.json is not JSON: .*\n$/)
  })

  it('ends a plugin that ends the process', (t) => {
    const { told } = failing(t, (folder) => writeFileSync(join(folder, 'index.ts'), 'process.exit(3)\n'))

    assert.match(
      told,
      /✖ loads, and has the shape of its kind\n.*ended the process that loaded it \(exit status 3\)\n$/,
    )
  })
})
