/** Which pull secret an image is asked for with, when its node brings none. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { type ImageProvider, RegistryError } from '@appliance/registry-mirror'
import { DeployFailure } from '../../../appliance/errors.ts'
import { CONTAINER } from '../../../appliance/plugin-testing/task-on-paper.ts'
import { nodeRegistryOf } from '../../../appliance/serve/node-registry.ts'
import { pushBootable } from '../../registry-mirror/node-images/images.ts'
import { base64, holdBySecret, REFERENCE, secretRig } from '../../registry-mirror/node-images/secret-rig.ts'
import { rig } from '../../registry-mirror/upstream/mirror.ts'
import { stateFolder } from '../records/state-folder.ts'

const AUTHS = {
  'quay.example': { auth: 'b3JnOm9yZw==' },
  'quay.example/org/app': { auth: 'YXBwOmFwcA==' },
  'other.example:5000': { auth: 'b3RoZXI6eA==' },
}

/** A mirror that notes with which secrets it is asked. */
function asking(t: TestContext, text: string | undefined, problem?: string) {
  const asked: (string | undefined)[] = []
  const mirror: ImageProvider = {
    async inspect(_reference, { secret }) {
      asked.push(secret)
      if (problem !== undefined) throw new RegistryError(problem)
      return CONTAINER
    },
    hold: async (_image, { secret }) => void asked.push(secret),
    release: async () => false,
    revoke: async () => {},
    access: async () => ({ location: '', registry: '', insecure: true, guarded: false }),
  }
  const path = join(stateFolder(t), 'auth.json')
  if (text !== undefined) writeFileSync(path, text)
  return { registry: nodeRegistryOf(mirror, { authentication_config: path }), asked, path }
}
const AMD64 = { architecture: 'amd64' }

describe('[oci] authentication_config', () => {
  it('has the pull secret for images of nodes that bring none, the most particular entry first', async (t) => {
    const { registry, asked } = asking(t, JSON.stringify({ auths: AUTHS }))

    await registry.inspect('quay.example/org/app:v1', AMD64)
    await registry.inspect(`quay.example/org/other@sha256:${'a'.repeat(64)}`, AMD64)
    await registry.inspect('other.example:5000/x', AMD64)
    await registry.inspect('third.example/x:v1', AMD64)
    await registry.hold(CONTAINER, { owner: 'node:1' })

    assert.deepEqual(asked, ['YXBwOmFwcA==', 'b3JnOm9yZw==', 'b3RoZXI6eA==', undefined, 'YXBwOmFwcA=='])
  })

  it('is taken as docker and older tools write it, too', async (t) => {
    const auths = {
      'https://index.docker.io/v1/': { auth: 'aHViOmh1Yg==' },
      'https://quay.example/v2/': { auth: 'cXVheTpxdWF5' },
      'http://box.example:5000': { username: 'robot', password: 'pa55:word' },
      'half.example': { username: 'robot' },
      'empty.example': {},
      'helper.example': { auth: '' },
    }
    const { registry, asked } = asking(t, JSON.stringify({ auths, credsStore: 'desktop' }))

    for (const host of [
      'docker.io',
      'quay.example',
      'box.example:5000',
      'half.example',
      'empty.example',
      'helper.example',
    ])
      await registry.inspect(`${host}/org/app:v1`, AMD64)

    const robot = Buffer.from('robot:pa55:word').toString('base64')
    assert.deepEqual(asked, ['aHViOmh1Yg==', 'cXVheTpxdWF5', robot, undefined, undefined, undefined])
  })

  it("does not stand in for the node's own", async (t) => {
    const { registry, asked } = asking(t, JSON.stringify({ auths: AUTHS }))

    await registry.inspect('quay.example/org/app:v1', { ...AMD64, secret: 'bWU6bWU=' })

    assert.deepEqual(asked, ['bWU6bWU='])
  })

  it('is told of when it cannot be used, and nothing that stands in it', async (t) => {
    const [missing, broken, other] = [
      asking(t, undefined),
      asking(t, 'b3JnOm9yZw=='),
      asking(t, '{"a":"b3JnOm9yZw=="}'),
    ]
    const says = ({ path }: { path: string }, why: string) => ({
      message: `[oci] authentication_config ${path} cannot be used: ${why}. Correct it, or take the option away.`,
    })

    for (const [{ registry, path }, why] of [
      [missing, 'there is no such file'],
      [broken, 'it is not JSON'],
      [other, 'it has no object "auths"'],
    ] as const) {
      await assert.rejects(registry.inspect('quay.example/org/app:v1', AMD64), says({ path }, why))
    }
  })
})

const USER = {
  image_server_user: 'robot',
  image_server_password: 'pa55:word',
  image_server_auth_hosts: ['.example'],
}

describe('[deploy] image_server_user and image_server_password', () => {
  it('are the pull secret for a registry that asks for credentials, when there is no other', async (t) => {
    const { mirror } = await secretRig(t)
    const registry = nodeRegistryOf(mirror.images, USER)

    const image = await registry.inspect(REFERENCE, AMD64)
    await registry.hold(image, { owner: 'node:1' })

    const { ticket, ...access } = await registry.access(image, { owner: 'node:1', for: 'host' })
    assert.deepEqual([access.guarded, ticket], [true, undefined])
  })

  it('are given to no registry that image_server_auth_hosts does not name, and the failure says so', async (t) => {
    for (const image_server_auth_hosts of [[], ['p.example', '.up.example', 'up.example.evil']]) {
      const { mirror } = await secretRig(t)
      const registry = nodeRegistryOf(mirror.images, { ...USER, image_server_auth_hosts })

      await assert.rejects(registry.inspect(REFERENCE, AMD64), {
        message:
          /\[deploy\] image_server_user is not given to up\.example: image_server_auth_hosts does not name it\.$/,
      })
    }
  })

  it('are that also for what is here when the registry is dead', async (t) => {
    const { mirror, injector } = await secretRig(t)
    const registry = nodeRegistryOf(mirror.images, USER)
    const { digest } = await holdBySecret(mirror)
    injector.fault(/./, { refuses: true })

    const image = await registry.inspect(REFERENCE, AMD64)
    await registry.hold(image, { owner: 'node:2' })

    assert.equal(image.digest, digest)
  })

  it('are not shown to a registry that gives its images to everybody', async (t) => {
    const { mirror, upstream, injector } = await rig(t)
    await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
    const registry = nodeRegistryOf(mirror.images, USER)

    const image = await registry.inspect(REFERENCE, AMD64)
    await registry.hold(image, { owner: 'node:1' })

    assert.ok(injector.asked.length > 0)
    assert.ok(injector.asked.every(({ headers }) => headers.authorization === undefined))
  })

  it("come after the node's own pull secret and that of [oci] authentication_config", async (t) => {
    const { mirror, guard } = await secretRig(t)
    const path = join(stateFolder(t), 'auth.json')
    writeFileSync(path, JSON.stringify({ auths: { 'up.example': { auth: base64('file:file') } } }))
    const registry = nodeRegistryOf(mirror.images, { ...USER, authentication_config: path })
    const refused = { message: `Image ${REFERENCE} cannot be had: registry up.example refuses the pull secret.` }

    await assert.rejects(registry.inspect(REFERENCE, AMD64), refused)
    await assert.rejects(registry.inspect(REFERENCE, { ...AMD64, secret: base64('node:node') }), refused)
    guard.user = 'file:file'
    await registry.inspect(REFERENCE, AMD64)
  })

  it('are told of when the registry refuses them, and not what they are', async (t) => {
    const { mirror } = await secretRig(t)

    const registry = nodeRegistryOf(mirror.images, { ...USER, image_server_password: 'wrong' })

    await assert.rejects(registry.inspect(REFERENCE, AMD64), {
      message: `Image ${REFERENCE} cannot be had: registry up.example refuses the pull secret. It is that of [deploy] image_server_user.`,
    })
  })

  it('are of no use one without the other', async (t) => {
    const { mirror } = await secretRig(t)

    const registry = nodeRegistryOf(mirror.images, { image_server_user: 'robot' })

    await assert.rejects(registry.inspect(REFERENCE, AMD64), {
      message: `Image ${REFERENCE} cannot be had: registry up.example asks for credentials, or has no such image. Set a pull secret.`,
    })
  })
})

describe('registry mirror as the conductor has it', () => {
  it('fails in its own words, as a deploy does', async (t) => {
    const { registry } = asking(t, JSON.stringify({ auths: {} }), 'Image quay.example/org/app:v1 is not known.')

    await assert.rejects(registry.inspect('quay.example/org/app:v1', AMD64), (error: Error) => {
      assert.ok(error instanceof DeployFailure)
      assert.equal(error.message, 'Image quay.example/org/app:v1 is not known.')
      return true
    })
  })
})
