/** A file, some of whose bytes are others when it is read. */
import type { FileHandle } from 'node:fs/promises'
import type { Readable } from '@appliance/ground/send-file'
import type { Overlay } from './deploy-iso.ts'

export function overlaid(file: Pick<FileHandle, 'read'>, overlays: readonly Overlay[]): Readable {
  return {
    async read(buffer, offset, length, position) {
      const { bytesRead } = await file.read(buffer, offset, length, position)
      for (const { at, bytes } of overlays) {
        const from = Math.max(at, position)
        const to = Math.min(at + bytes.length, position + bytesRead)
        if (from < to) buffer.set(bytes.subarray(from - at, to - at), offset + from - position)
      }
      return { bytesRead }
    },
  }
}
