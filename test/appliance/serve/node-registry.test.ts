/** Which pull secret an image is asked for with, when its node brings none. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { type ImageKeeper, RegistryError } from '@appliance/registry-mirror'
import { DeployFailure } from '../../../appliance/errors.ts'
import { nodeRegistryOf } from '../../../appliance/serve/node-registry.ts'
import { CONTAINER } from '../../conformance/task-on-paper.ts'
import { stateFolder } from '../nodes/state-folder.ts'

const AUTHS = {
  'quay.example': { auth: 'b3JnOm9yZw==' },
  'quay.example/org/app': { auth: 'YXBwOmFwcA==' },
  'other.example:5000': { auth: 'b3RoZXI6eA==' },
}

/** A mirror that notes with which secrets it is asked. */
function asking(t: TestContext, text: string | undefined, problem?: string) {
  const asked: (string | undefined)[] = []
  const mirror: ImageKeeper = {
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
  return { registry: nodeRegistryOf(mirror, path), asked, path }
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
