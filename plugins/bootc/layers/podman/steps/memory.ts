/** How much memory the machine still had while something went on, at the least. */
import { availableMemoryBytes } from './counters.ts'
import { sampling } from './sampling.ts'

export type MemoryWatch = AsyncDisposable & { told(): { memory_before_mib: number; memory_least_mib: number } }

const SAMPLE_MS = 500
const MIB = 1024 * 1024

export async function watchMemory(root: string): Promise<MemoryWatch> {
  const before = await availableMemoryBytes(root)
  let least = before
  const samples = sampling(SAMPLE_MS, async () => {
    least = Math.min(least, await availableMemoryBytes(root))
  })
  return {
    told: () => ({ memory_before_mib: Math.floor(before / MIB), memory_least_mib: Math.floor(least / MIB) }),
    [Symbol.asyncDispose]: () => samples[Symbol.asyncDispose](),
  }
}
