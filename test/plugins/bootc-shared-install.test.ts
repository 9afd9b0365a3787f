/**
 * One install on the appliance that two nodes wait for: who began it may go. Real image cache and mirror, a guest
 * that only pulls.
 */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { ContainerAccess, ContainerImage, Guest } from '../../appliance/plugin-api/index.ts'
import { nodeRegistryOf } from '../../appliance/serve/node-registry.ts'
import type { Deploy } from '../../plugins/bootc/image.ts'
import { installOnce } from '../../plugins/bootc/install-once.ts'
import { makeBootable } from '../appliance/images/format/bootable-file.ts'
import { NODE, OTHER_NODE, openImages } from '../appliance/images/images-in-folder.ts'
import { base64, holdBySecret, SECRET, secretRig } from '../registry-mirror/node-images/secret-rig.ts'
import { paperFor } from './bootc-rig.ts'

async function appliance(t: TestContext) {
  const { mirror } = await secretRig(t)
  const box = await openImages()
  t.after(() => box[Symbol.asyncDispose]())
  const image: ContainerImage = await holdBySecret(mirror)
  const registry = nodeRegistryOf(mirror.images)
  const begun = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const pulled: number[] = []
  let called_off = false
  const guest: Guest = {
    acceleration: 'kvm',
    has: async () => true,
    async run({ args, disks, signal, progress }) {
      progress?.({ note: 'installing' })
      const onAbort = () => {
        called_off = true
        goOn.reject(signal?.reason)
      }
      signal?.addEventListener('abort', onAbort)
      begun.resolve()
      await goOn.promise
      signal?.removeEventListener('abort', onAbort)
      const { ticket } = args.mirror as ContainerAccess
      const authorization = `Basic ${base64(`${ticket?.username}:${ticket?.password}`)}`
      const path = `/v2/up.example/org/app/manifests/${image.digest}`
      pulled.push((await mirror.ask('GET', path, { headers: { authorization } })).status)
      await makeBootable(String(disks[0]?.path))
    },
  }
  const install = (node_uuid: string, signal: AbortSignal, onNote: () => void = () => {}) => {
    const { bootc } = paperFor({})
    const owner = `node:${node_uuid}`
    const task = Object.defineProperties(Object.create(bootc), {
      guest: { value: guest },
      registry: { value: { access: (of: ContainerImage, o = {}) => registry.access(of, { ...o, owner }) } },
      images: {
        value: {
          make: (key: string, build: Parameters<typeof box.images.make>[2], o: object) =>
            box.images.make(key, box.request({}, { node_uuid, signal, progress: onNote }), build, o),
        },
      },
    })
    return installOnce(task, { image, way: 'appliance', wanted: { tpm2_luks: false } as Deploy['wanted'] })
  }
  const hold = (node_uuid: string) => registry.hold(image, { owner: `node:${node_uuid}`, secret: SECRET })
  return { box, registry, install, hold, begun: begun.promise, goOn, pulled, wasCalledOff: () => called_off }
}
const never = new AbortController().signal

describe('an install on the appliance that two nodes wait for', () => {
  it('goes on for the second when the first, which began it, is called off, torn down and without a ticket', async (t) => {
    const { box, registry, install, hold, begun, goOn, pulled, wasCalledOff } = await appliance(t)
    const off = new AbortController()
    await hold(NODE)
    const first = install(NODE, off.signal)
    await begun
    await hold(OTHER_NODE)
    const joined = Promise.withResolvers<void>()
    const second = install(OTHER_NODE, never, joined.resolve)
    await joined.promise

    off.abort(new Error('The deploy of the first was aborted.'))
    await assert.rejects(first, { message: 'The deploy of the first was aborted.' })
    await registry.revoke(`node:${NODE}`)
    await registry.release(`node:${NODE}`)
    await box.images.release(NODE)
    goOn.resolve()
    const served = await second

    assert.equal(wasCalledOff(), false)
    assert.deepEqual(pulled, [200])
    assert.match(served.url, new RegExp(`/${OTHER_NODE}$`))
  })

  it('is called off when nobody waits for it any more', async (t) => {
    const { install, hold, begun, wasCalledOff } = await appliance(t)
    const [one, other] = [new AbortController(), new AbortController()]
    await hold(NODE)
    const first = install(NODE, one.signal)
    await begun
    const second = install(OTHER_NODE, other.signal)

    one.abort(new Error('first'))
    await assert.rejects(first, { message: 'first' })
    const goesOn = !wasCalledOff()
    other.abort(new Error('second'))
    await assert.rejects(second, { message: 'second' })

    assert.deepEqual([goesOn, wasCalledOff()], [true, true])
  })
})
