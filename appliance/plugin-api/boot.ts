/** The part of the contract about what a machine boots. Types only. */

import type { ServedFile } from './images.ts'

export type MachineBoot = {
  /**
   * Starts the machine anew into the deploy ramdisk, with this plugin's layers. Follow it with `{ wait:
   * 'agent-boot' }`.
   */
  agent(): Promise<void>
  /** From now on, the machine is sent to its own disk when it asks on the network. Ends what `instance` said. */
  disk(): Promise<void>
  /**
   * Files that this machine finds in its ramdisk, ours or a stock one, at each boot into it from now on, until the
   * deploy has ended.
   * They replace those given before; kept like a secret, and handed out until the agent has called. At most 256 KiB in
   * all.
   * @throws Error  a path that is not absolute and plain, or too much
   */
  files(files: readonly BootFile[]): Promise<void>
  /**
   * From now on the machine gets this whenever it asks on the network, also after a restart of the appliance, until the
   * node is torn down or its deploy fails; only the deploy ramdisk goes before it. Starts nothing:
   * `power.bootFrom('network', { persistent: true })`, `power.on()`.
   * @throws Error  parameters that a boot script cannot carry unchanged; a file that is no ISO 9660 image; one that is
   * not this node's
   */
  instance(instance: InstanceToBoot): Promise<void>
  /** For `validate`. @throws Error  the node has no port, so nobody would know its machine when it asks */
  validate(): void
  /** What is wrong with parameters for the kernel of an instance. Touches no machine. @throws Error  in a sentence */
  validateParameters(parameters: string): void
  /**
   * A text that this machine fetches, such as ks.cfg. Kept like a secret; its address cannot be guessed. The same name
   * again replaces it.
   * `until`: gone when the deploy ends (default), or with the instance, when the node is torn down. At most 256 KiB in
   * all.
   * @returns its address, for kernel parameters
   * @throws Error  a name with other characters than letters, digits and ._-, or too much
   */
  publish(name: string, text: string, o?: { until?: 'deploy' | 'instance' }): Promise<string>
}

/** `mode`: permission bits, 0o600 when left out. It belongs to root; folders on the way to it are made. */
export type BootFile = { path: string; content: string; mode?: number }

/** What a machine boots as its instance; files are what `images.file` gave. */
export type InstanceToBoot = KernelToBoot | { iso: ServedFile }
type KernelToBoot = {
  kernel: ServedFile
  /** In the order in which the kernel unpacks them. */
  ramdisks?: readonly ServedFile[]
  /** As on a kernel's command line; `initrd=` is added for each ramdisk. */
  parameters?: string
}
