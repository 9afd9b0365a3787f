/** STUB, to be overwritten by the images helper; not to be committed. */
import type { Json } from '../plugin-api/index.ts'
export async function encodeConfigDrive(_drive: Json, _signal: AbortSignal): Promise<string> {
  throw new Error('not built yet')
}
