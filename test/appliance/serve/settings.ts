/** The settings that a configuration file of this text gives. */
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '../../../appliance/log.ts'
import { loadSettings, type Settings } from '../../../appliance/serve/settings.ts'

export async function settingsOf(text: string): Promise<Settings> {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rackstrap-settings-'))
  const path = join(folder.path, 'rackstrap.conf')
  await writeFile(path, text)
  const interfaces = () =>
    new Map([
      ['eth1', ['192.0.2.1/24']],
      ['eth2', []],
    ])
  const box = { host: 'this-box', my_ip: () => '192.0.2.1', interfaces }
  return await loadSettings(path, box, () => createLog('error', () => {}))
}
