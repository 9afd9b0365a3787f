/**
 * Debian's own client and an image that only a pull secret can have: it is pulled from the mirror by its canonical
 * name, with a ticket or the secret.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { temporaryFolder } from '../registry.ts'
import { base64, holdBySecret, REFERENCE, SECRET, secretRig } from './secret-rig.ts'

const execute = promisify(execFile)
const isMissing = !existsSync('/usr/bin/skopeo') && 'skopeo is not installed'

describe('skopeo and a guarded image', { skip: isMissing }, () => {
  it('has it by its canonical name from the mirror, by ticket or secret, and not without', async (t) => {
    const folder = temporaryFolder(t)
    const { mirror, built, injector } = await secretRig(t)
    const image = await holdBySecret(mirror)
    injector.fault(/./, { refuses: true })
    const { location, registry, ticket } = await mirror.images.access(image, { owner: 'node:1' })
    const conf = join(folder, 'registries.conf')
    writeFileSync(
      conf,
      `[[registry]]\nprefix = "up.example/org/app"\nlocation = "up.example/org/app"\n` +
        `[[registry.mirror]]\nlocation = "${location}"\ninsecure = true\n`,
    )
    const copy = async (key: string, auth?: string) => {
      const authFile = join(folder, 'auth.json')
      writeFileSync(authFile, JSON.stringify({ auths: auth === undefined ? {} : { [key]: { auth } } }))
      const env = { ...process.env, REGISTRY_AUTH_FILE: authFile, HOME: folder }
      const to = join(folder, `copy-${Math.random()}`)
      await execute('skopeo', ['--registries-conf', conf, 'copy', `docker://${REFERENCE}`, `dir:${to}`], {
        timeout: 60_000,
        env,
      })
      return readFileSync(join(to, 'manifest.json'), 'utf8')
    }

    assert.equal(await copy(registry, base64(`${ticket?.username}:${ticket?.password}`)), built.manifest)
    assert.equal(await copy(location, SECRET), built.manifest)
    await assert.rejects(copy(registry, base64('robot:other')))
    await assert.rejects(copy(registry))
  })
})
