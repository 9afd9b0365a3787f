/** Which machines bootc.bench.ts deploys, one after the other. Data. */

export type Planned = {
  /** For --only. */
  name: string
  what: string
  way: 'appliance' | 'machine' | 'direct'
  memory_mib: number
  /** The way's further ones are left out when one has failed. */
  untilFailure?: boolean
}

/** `direct` lies between, so that a box that gets busier makes none of them look better. */
const USUAL: readonly Planned[] = [
  { name: 'appliance', what: 'appliance, first', way: 'appliance', memory_mib: 1024 },
  { name: 'second', what: 'appliance, second', way: 'appliance', memory_mib: 1024 },
  { name: 'direct', what: 'direct, first', way: 'direct', memory_mib: 1024 },
  { name: 'third', what: 'appliance, third', way: 'appliance', memory_mib: 1024 },
  { name: 'again', what: 'direct, again', way: 'direct', memory_mib: 1024 },
  { name: 'machine', what: 'machine', way: 'machine', memory_mib: 2048 },
  { name: 'small', what: 'machine', way: 'machine', memory_mib: 1024 },
]

/** The ramdisk with podman in it needs more to begin with. */
const TRIED_MIB = { appliance: [1024, 768, 640, 512, 384], machine: [1024, 896, 768, 640, 512] }

const smallest = (way: 'appliance' | 'machine'): Planned[] =>
  TRIED_MIB[way].map((memory_mib) => ({
    ...{ name: `${way}-${memory_mib}`, what: way, way, memory_mib, untilFailure: true },
  }))

export const PLANS = {
  usual: USUAL,
  large: USUAL.filter(({ name }) => ['appliance', 'second', 'machine'].includes(name)),
  memory: [...smallest('appliance'), ...smallest('machine')],
} as const
