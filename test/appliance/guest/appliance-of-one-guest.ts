/** What guest.e2e.test.ts kills: an appliance that only runs a guest, which hangs. */
import { createGuests } from '../../../appliance/guest/guest.ts'
import { createLog } from '../../../appliance/log.ts'

const { GUEST_FOLDER = '', GUEST_RAMDISK = '', GUEST_LAYER = '' } = process.env
const guests = createGuests({
  ramdisk_path: GUEST_RAMDISK,
  folder: GUEST_FOLDER,
  mirror: () => undefined,
  log: createLog('error', () => {}),
})
await guests.run(
  {
    layers: [GUEST_LAYER],
    step: 'guest_hang',
    args: {},
    disks: [{ size_bytes: 1024 * 1024 }],
    memory_mib: 384,
    timeout_s: 60,
    mirror: false,
  },
  { signal: AbortSignal.timeout(60_000), progress: () => {} },
)
