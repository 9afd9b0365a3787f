/** What is kept of the disk. */
import type { Options } from '../plugin-api/index.ts'

export const disk = {
  min_free: {
    section: 'DEFAULT',
    type: 'integer',
    min: 0,
    unit: 'MiB',
    help: "Room on state_path's disk that is kept for records: images, uploads, guests and programs of plugins stop before it. Not set: 1024, or a twentieth of the disk if that is less.",
  },
} as const satisfies Options
