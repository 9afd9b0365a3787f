/** What a machine gets when its iPXE asks. Who decides it is the caller's affair. */
import type { MachineFile } from './machine-files.ts'

export type MachineBoot =
  /** The deploy ramdisk: kernel, core and layers; parameters are escaped when the script is rendered. */
  | {
      kind: 'agent'
      node: string
      name: string
      /** Key and value in order; an empty value makes a bare word, such as `nofb`. */
      parameters: readonly (readonly [string, string])[]
      layers: readonly string[]
      /** As Ironic's properties/cpu_arch has it; a kernel that is known to be of another kind is refused. */
      cpu_arch?: string
      /** Files for this machine alone, laid over everything else. No log has them. */
      files?: readonly MachineFile[]
      /** Part of their address; left out: it can be guessed. */
      files_key?: string
    }
  /**
   * A kernel of its instance, which is none of ours; at every boot. Addresses are http(s), in plain characters.
   * `missing`: why it cannot be booted now; shown on its screen until it asks again.
   */
  | {
      kind: 'kernel'
      node: string
      name: string
      kernel_url: string
      /** In the order in which the kernel unpacks them. */
      ramdisk_urls: readonly string[]
      parameters: readonly (readonly [string, string])[]
      missing?: string
    }
  /**
   * A medium of its instance, which firmware and operating system see as a drive while iPXE's code is there; at every
   * boot.
   */
  | {
      kind: 'iso'
      node: string
      name: string
      iso_url: string
      /** The disk that a BIOS is to take for a floppy: the ISO's boot image, which iPXE does not start in the ISO. */
      floppy_url?: string
      missing?: string
    }
  /** Its own disk: nothing is to be deployed. `why` is shown on its screen. */
  | { kind: 'disk'; node: string; name: string; why: string }
  /** A MAC that no port has. */
  | { kind: 'unknown'; mac: string }
