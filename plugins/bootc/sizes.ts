/**
 * How large things are, from the one number that is known before an install: the image's compressed size. Estimates;
 * pure.
 */
import type { ContainerImage, Json } from '@appliance/core/plugin-api'
import { isTable } from './node-fields.ts'

export const MIB = 1024 * 1024
const GIB = 1024 * MIB
/** In front of root: boot loader and EFI; behind it a config drive. */
const FRONT_BYTES = 1026 * MIB
const END_BYTES = 66 * MIB
/** Of an install beside the image: initramfs, journal, the file system's own. */
const REST_BYTES = 768 * MIB
/** Unpacked, most images have two times their compressed size; some have three. */
const UNPACKED = 3
const UNPACKED_AT_LEAST = 1.5
/** podman's store has it packed and unpacked at once. Sparse: what is not used takes no room. */
const STORE = 6
const STORE_REST_BYTES = 2 * GIB
const STEP_BYTES = 256 * MIB

type Sized = Pick<ContainerImage, 'size_bytes'>

/** Of the disk that the appliance installs to; no machine with a smaller one can be written. */
export const installedBytes = ({ size_bytes }: Sized) =>
  Math.ceil((size_bytes * UNPACKED + FRONT_BYTES + REST_BYTES) / STEP_BYTES) * STEP_BYTES

export const scratchBytes = ({ size_bytes }: Sized) =>
  Math.ceil((size_bytes * STORE + STORE_REST_BYTES) / STEP_BYTES) * STEP_BYTES

/** The way appliance: the disk as it was installed, and a config drive behind it. */
export const diskForAppliance = (image: Sized) => installedBytes(image) + END_BYTES

/**
 * The way machine: half of the disk is podman's store until the install is over. Less than this is certainly too
 * little.
 */
export const diskForMachine = ({ size_bytes }: Sized) =>
  Math.ceil(2 * size_bytes * UNPACKED_AT_LEAST + FRONT_BYTES + END_BYTES)

/**
 * What the node's record says of its disk, by a root device hint or by its properties; undefined: nothing that is
 * certain.
 */
export function knownDiskBytes({
  properties,
  instance_info,
}: {
  properties: Json
  instance_info: Json
}): number | undefined {
  const hints = instance_info.root_device ?? properties.root_device
  const local_gb = (isTable(hints) ? exactSize(hints.size) : undefined) ?? properties.local_gb
  const gib = Number(local_gb)
  return (typeof local_gb === 'number' || typeof local_gb === 'string') && gib > 0 ? gib * GIB : undefined
}

/** A hint may be a comparison, too. */
const exactSize = (size: unknown) => /^\s*(?:==?\s*)?(\d+)\s*$/.exec(String(size))?.[1]

/** In MiB; undefined: not known. */
export function knownMemoryMib({ memory_mb }: Json): number | undefined {
  const mib = Number(memory_mb)
  return (typeof memory_mb === 'number' || typeof memory_mb === 'string') && mib > 0 ? mib : undefined
}

export const gib = (bytes: number) => `${(bytes / GIB).toFixed(1)} GiB`
