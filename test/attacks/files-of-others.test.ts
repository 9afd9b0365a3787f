/** Files that another account of the box wrote, or reads: the configuration, keys, folders of programs. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { createLog } from '../../appliance/log.ts'
import { thisBox } from '../../appliance/serve/box.ts'
import { gatherSettings } from '../../appliance/serve/settings.ts'

describe('what another account of the box may write or read', () => {
  let folder: string
  let config: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'others-'))
    chmodSync(folder, 0o755)
    config = join(folder, 'rackstrap.conf')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  async function look(text = '', mode = 0o644) {
    writeFileSync(config, `[DEFAULT]\nstate_path = ${folder}/state\n${text}`)
    chmodSync(config, mode)
    const { settings, problems } = await gatherSettings(config, thisBox, () => createLog('error'))
    return { problems, warnings: settings.warnings }
  }

  it('is nothing in a file of our own', async () => {
    assert.deepEqual(await look(), { problems: [], warnings: [] })
  })

  it('is refused as the configuration, with what to do', async () => {
    const { problems } = await look('', 0o666)

    assert.deepEqual(problems, [
      `${config}: The configuration file ${config} is refused: ${config} may be written by anybody, and the appliance does what it says. Look who wrote it, then: chown root: ${config}, and chmod go-w ${config}.`,
    ])
  })

  it('is refused as the configuration also when only a folder above it is open', async () => {
    chmodSync(folder, 0o777)

    const { problems } = await look()

    assert.match(problems.join(), new RegExp(`is refused: ${folder} may be written by anybody`))
  })

  it('is refused behind a link', async () => {
    mkdirSync(join(folder, 'open'), { mode: 0o777 })
    chmodSync(join(folder, 'open'), 0o777)
    writeFileSync(join(folder, 'open/users'), '')
    symlinkSync(join(folder, 'open/users'), join(folder, 'users'))

    const { problems } = await look(`[registry]\nhtpasswd_file = ${folder}/users\n`)

    assert.match(problems.join(), /\[registry\] htpasswd_file \S+ is refused: \S+open may be written by anybody/)
  })

  it('is refused as a key and as a file of pull secrets', async () => {
    const key = join(folder, 'key.pem')
    writeFileSync(key, 'a key')
    chmodSync(key, 0o602)

    const { problems } = await look(`[registry]\nkey_file = ${key}\n[oci]\nauthentication_config = ${key}\n`)

    assert.equal(problems.filter((problem) => problem.includes('is refused')).length, 2)
  })

  it('is refused as a folder of playbooks', async () => {
    mkdirSync(join(folder, 'playbooks'))
    chmodSync(join(folder, 'playbooks'), 0o777)

    const { problems } = await look(
      `enabled_deploy_interfaces = ansible\n[ansible]\nplaybooks_path = ${folder}/playbooks\n`,
    )

    assert.match(problems.join(), /\[ansible\] playbooks_path \S+ is refused: \S+playbooks may be written by anybody/)
  })

  it('is warned of when it is a secret that others may read', async () => {
    const { problems, warnings } = await look('[deploy]\nimage_server_user = u\nimage_server_password = p\n')

    assert.deepEqual(problems, [])
    assert.deepEqual(warnings, [
      `${config}: The configuration file ${config} holds secrets, and every account of this box may read it: chmod o-r ${config}.`,
    ])
  })

  it('is not warned of in a folder that is closed', async () => {
    chmodSync(folder, 0o750)

    assert.deepEqual((await look('[deploy]\nimage_server_user = u\nimage_server_password = p\n')).warnings, [])
  })
})
