/** What podman is told of the mirror. */
import assert from 'node:assert/strict'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { writeMirrorFiles } from '../../../../../plugins/bootc/layers/podman/steps/registries.ts'
import { repositoryOf } from '../../../../../plugins/bootc/mirror-text.ts'
import { makeLayerMachine } from '../machine.ts'
import { MIRROR, someArguments, TICKET } from './arguments.ts'

describe('files for pulling from the mirror', () => {
  it('has one repository pulled from the mirror under its own name, and from nowhere else', async () => {
    await using machine = await makeLayerMachine()

    await using _ = await writeMirrorFiles(machine.root, someArguments())

    assert.equal(
      await readFile(join(machine.root, 'etc/containers/registries.conf.d/50-rackstrap.conf'), 'utf8'),
      `[[registry]]
prefix = "quay.io/org/app"
location = "10.0.0.1:5000/quay.io/org/app"
insecure = true
`,
    )
  })

  it("puts the mirror's CA where podman looks for it", async () => {
    await using machine = await makeLayerMachine()

    await using _ = await writeMirrorFiles(machine.root, someArguments({ mirror: { ...MIRROR, ca: 'PEM' } }))

    assert.equal(await readFile(join(machine.root, 'etc/containers/certs.d/10.0.0.1:5000/ca.crt'), 'utf8'), 'PEM')
  })

  it('keeps the ticket for its one repository in a file for root alone, for as long as the pull takes', async () => {
    await using machine = await makeLayerMachine()
    {
      await using files = await writeMirrorFiles(machine.root, someArguments({ mirror: { ...MIRROR, ticket: TICKET } }))

      const file = files.auth_file ?? ''
      const auth = Buffer.from('ticket:a-long-word').toString('base64')
      assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), {
        auths: { '10.0.0.1:5000/quay.io/org/app': { auth } },
      })
      assert.equal((await stat(file)).mode & 0o777, 0o600)
    }
    assert.deepEqual(await readdir(join(machine.root, 'run/rackstrap')), [])
  })

  it('knows the repository of a reference with port, tag and digest', () => {
    assert.equal(repositoryOf('quay.io/org/app'), 'quay.io/org/app')
    assert.equal(repositoryOf('registry.example:5000/app'), 'registry.example:5000/app')
    assert.equal(repositoryOf(`registry.example:5000/app:v1@sha256:${'a'.repeat(64)}`), 'registry.example:5000/app')
  })
})
