/**
 * What killed.e2e.test.ts kills: a conductor with the deploy interface bootc, a real mirror, a real image cache,
 * machines of fake-hardware, and guests that write a disk at once, or real ones where a ramdisk is given. Images are
 * named by the place where their deploy hangs for ever, so that there is time to kill it.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startConductor } from '../../../../appliance/conductor/start.ts'
import { createGuests, type Guests } from '../../../../appliance/guest/guest.ts'
import { createHardware } from '../../../../appliance/hardware/hardware.ts'
import { createImages } from '../../../../appliance/images/create-images.ts'
import type { Images } from '../../../../appliance/images/images.ts'
import { createLog } from '../../../../appliance/log.ts'
import type { DeployPlugin, Json } from '../../../../appliance/plugin-api/index.ts'
import { createHistories } from '../../../../appliance/records/histories.ts'
import { createInspections } from '../../../../appliance/records/inspections.ts'
import { newNode } from '../../../../appliance/records/kinds/node.ts'
import { newPort } from '../../../../appliance/records/kinds/port.ts'
import { openStore } from '../../../../appliance/records/open-store.ts'
import { nodeRegistryOf } from '../../../../appliance/serve/node-registry.ts'
import bootc from '../../../../plugins/bootc/index.ts'
import { startRegistry } from '../../../../registry-mirror/index.ts'
import { openDoor, tell } from '../../../appliance/conductor/killed-door.ts'
import { configOf as conductorConfig } from '../../../appliance/conductor/trial.ts'
import { makeBootable } from '../../../appliance/images/format/bootable-file.ts'
import { configOf as imagesConfig } from '../../../appliance/images/images-in-folder.ts'
import { writeAll } from '../../../appliance/write-all.ts'
import { configOf as registryConfig } from '../../../registry-mirror/registry.ts'
import { upstreamNamed } from '../../../registry-mirror/upstream/mirror.ts'

const [folder = '', hangs = '', upstream_url = '', ramdisk_path = ''] = process.argv.slice(2)

/** @param times  how often a place is passed before that */
const passes = new Map<string, number>()
async function passOrHang(reference: unknown, place: string, times = 0): Promise<void> {
  if (hangs !== 'hangs' || !String(reference).includes(`/${place}:`)) return
  passes.set(place, (passes.get(place) ?? 0) + 1)
  if ((passes.get(place) ?? 0) <= times) return
  tell('hangs', { place })
  await new Promise(() => {})
}

const silent = () => {}
const mirror_folder = join(folder, 'registry')
mkdirSync(mirror_folder, { recursive: true })
const mirror = await startRegistry(
  { ...registryConfig(mirror_folder), upstreams: [upstreamNamed('up.example', { url: upstream_url, tag_ttl: 0 })] },
  { debug: silent, info: silent, warn: silent, error: silent },
)
const registry = nodeRegistryOf(mirror)
const images = createImages({
  config: imagesConfig(folder),
  log: createLog('error', silent),
  http_url: () => 'http://127.0.0.1:1',
})
/** Where a guest that was killed would leave something. */
const quickGuests: Guests = {
  accelerator: () => 'kvm',
  has: async () => true,
  async run({ args, disks }) {
    writeFileSync(String(disks[0]?.path), 'half of an install')
    await passOrHang(args.reference, 'installing')
    await makeBootable(String(disks[0]?.path))
    return {}
  },
}
const mirror_port = await mirror.openForPulls()
const guests =
  ramdisk_path === ''
    ? quickGuests
    : createGuests({
        ramdisk_path,
        folder: join(folder, 'guests'),
        mirror: () => ({ host: '127.0.0.1', port: mirror_port, called_port: mirror.port }),
        log: createLog('error', silent),
      })
const hanging: Images = {
  ...images,
  make: (key, request, build, o) =>
    images.make(
      key,
      request,
      async (path, ...rest) => {
        await build(path, ...rest)
        await passOrHang(/ of (\S+) /.exec(key)?.[1], 'caching')
      },
      o,
    ),
}
const store = await openStore({ state_path: join(folder, 'state'), log: createLog('error', silent) })
const ofConductor = conductorConfig('[conductor]\nautomated_clean = false\n')
const conductor = startConductor({
  hostname: 'rackstrap',
  store,
  config: ofConductor,
  log: createLog('info', (line) => writeAll(line)),
  hardware: createHardware({ config: ofConductor, log: createLog('error', silent) }),
  images: hanging,
  guests,
  registry: {
    ...registry,
    async inspect(reference, o) {
      // Once it is validated.
      await passOrHang(reference, 'inspecting', 1)
      return registry.inspect(reference, o)
    },
    async hold(image, o) {
      await registry.hold(image, o)
      await passOrHang(image.reference, 'holding')
    },
  },
  plugins: [bootc as unknown as DeployPlugin],
  folder: join(folder, 'procedures'),
  inspections: createInspections(join(folder, 'inspections')),
  histories: createHistories(join(folder, 'histories')),
  api_url: () => 'http://127.0.0.1',
  http_url: () => 'http://127.0.0.1:8080',
})

openDoor({
  conductor,
  store,
  calls: {
    async create(address: string, instance_info: Json) {
      const interfaces = conductor.chooseInterfaces('fake-hardware', {})
      const node = newNode({ driver: 'fake-hardware', interfaces, provision_state: 'available', instance_info })
      await store.nodes.create({ ...node, power_state: 'power off' })
      await store.ports.create(newPort({ address, node_uuid: node.uuid }))
      return node.uuid
    },
    release: (uuid: string) => mirror.release(`node:${uuid}`),
  },
})
