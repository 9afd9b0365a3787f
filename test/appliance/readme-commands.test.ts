import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { renderValues } from '../../appliance/config/render.ts'
import { createLog } from '../../appliance/log.ts'
import { loadSettings } from '../../appliance/serve/settings.ts'
import { temporaryFolder } from '../pxe/temporary-folder.ts'
import { commandsIn } from './readme-commands.ts'

const CHECKOUT = join(import.meta.dirname, '../..')

describe('commands of a README', () => {
  it('are the shell blocks of one section, without the indentation of their list', () => {
    const readme =
      '# A\n## Before\n```sh\nno\n```\n## Here\n1. a\n   ```sh\n   cat <<X\n     two\n   X\n   ```\n```ini\nno\n```\n```sh\nb\n```\n## After\n```sh\nno\n```\n'

    const commands = commandsIn(readme, 'Here')

    assert.deepEqual(commands, ['cat <<X\n  two\nX\n', 'b\n'])
  })
})

describe("the README's configuration of a real rack", () => {
  it('is read without a warning, and opens the API to this box only', async (t) => {
    const readme = await readFile(join(CHECKOUT, 'README.md'), 'utf8')
    const blocks = commandsIn(readme, 'On a real rack')
    const [, text = ''] = /<<'END'\n([\s\S]*?)^END$/m.exec(blocks.join('')) ?? []
    const file = join(await temporaryFolder(t), 'rackstrap.conf')
    await writeFile(file, text)

    const settings = await loadSettings(
      file,
      { host: 'box', my_ip: () => '192.0.2.1', interfaces: () => new Map([['eth1', ['192.168.50.1/24']]]) },
      () => createLog('error', () => {}),
    )

    assert.deepEqual(settings.warnings, [])
    assert.equal(settings.config.api.host_ip, '127.0.0.1')
    assert.match(renderValues(settings.tables), /^image_download_source = local$/m)
  })
})
