/** What a person lays over the rack's configuration: all of it arrives, and what cannot be used is refused by name. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { BUNDLED_PLUGINS } from '../../../appliance/plugin-host/discover.ts'
import { enabling, laidOver } from './laid-over.ts'
import { UsageError } from './options.ts'

const MANIFEST = {
  type: 'module',
  exports: './index.ts',
  appliance: { kind: 'deploy', name: 'hello', apiVersion: '1' },
}

describe('what is laid over the configuration of the rack', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rackstrap-laid-'))
  after(() => rm(folder, { recursive: true }))
  const file = async (text: string) => {
    const path = join(folder, 'rack.conf')
    await writeFile(path, text)
    return path
  }
  const plugin = async (name: string, manifest: unknown) => {
    const path = join(folder, name)
    await mkdir(path, { recursive: true })
    await writeFile(join(path, 'package.json'), JSON.stringify(manifest))
    await writeFile(join(path, 'index.ts'), 'export default {}\n')
    return path
  }

  it('is each option of the file, and of two with one name the later', async () => {
    const path = await file('[agent]\nimage_download_source = http\n[DEFAULT]\na: 1\na = 2\n')

    assert.deepEqual(await laidOver(path, []), {
      config: { agent: { image_download_source: 'http' }, DEFAULT: { a: '2' } },
      plugins: [],
    })
  })

  it("enables a stranger's plugin beside those that come with the appliance", async () => {
    const path = await plugin('hello', MANIFEST)

    const { config, plugins } = await laidOver(undefined, [path])

    const { DEFAULT } = config
    assert.deepEqual([plugins, DEFAULT?.plugin_path], [[path], path])
    assert.match(String(DEFAULT?.enabled_deploy_interfaces), /^(?=.*\bdirect\b)(?=.*\bbootc\b).*,hello$/)
  })

  it('enables each interface that comes with the appliance, and leaves what it does not know to the appliance', async () => {
    const { DEFAULT } = await enabling('anaconda')

    assert.match(String(DEFAULT?.enabled_deploy_interfaces), /^(?=.*\bdirect\b).*\banaconda\b/)
    assert.deepEqual(await enabling('nope'), {})
  })

  it('lets the file choose other plugins', async () => {
    const config = await file('[DEFAULT]\nenabled_deploy_interfaces = hello\n')

    const over = await laidOver(config, [await plugin('hello', MANIFEST)])

    assert.equal(over.config.DEFAULT?.enabled_deploy_interfaces, 'hello')
  })

  it('refuses a file that is none, with the line', async () => {
    await assert.rejects(laidOver(join(folder, 'none.conf'), []), {
      constructor: UsageError,
      message: new RegExp(`^--config ${join(folder, 'none.conf')} cannot be read: ENOENT`),
    })
    const path = await file('[agent]\nnonsense\n')
    await assert.rejects(laidOver(path, []), {
      constructor: UsageError,
      message: `--config ${path}: line 2: "nonsense" is neither [section] nor name = value`,
    })
  })

  it('finds the plugins of a folder of plugins', async () => {
    const path = await plugin('many/hello', MANIFEST)

    const { config, plugins } = await laidOver(undefined, [join(folder, 'many')])

    assert.deepEqual([plugins, config.DEFAULT?.plugin_path], [[path], join(folder, 'many')])
  })

  it('refuses a folder without a plugin, and a plugin that is none', async () => {
    const empty = join(folder, 'empty')
    await mkdir(empty)
    await assert.rejects(laidOver(undefined, [empty]), {
      constructor: UsageError,
      message:
        `--plugin ${empty} holds no plugin: its package.json, or that of a folder in it, has "appliance" with kind, name ` +
        `and apiVersion, as those in ${BUNDLED_PLUGINS} have`,
    })
    const old = await plugin('old', { ...MANIFEST, appliance: { ...MANIFEST.appliance, apiVersion: '0' } })
    await assert.rejects(laidOver(undefined, [old]), { constructor: UsageError, message: /^--plugin: .*"0"/ })
  })
})
