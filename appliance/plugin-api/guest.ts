/**
 * The part of the contract about guests: a deploy step run in a small virtual machine on the appliance, away from
 * everything else. Types only.
 */

export type Guest = {
  /** tcg: no /dev/kvm can be used, and all takes some ten times as long. */
  readonly acceleration: 'kvm' | 'tcg'
  /** Whether the deploy ramdisk brings these layers; a stock agent's has none. */
  has(layers: readonly string[]): Promise<boolean>
  /**
   * Boots the deploy ramdisk with these layers, has its agent run one step that they bring, and switches it off. One at
   * a time.
   * @returns what the step returned; from a machine that may be hostile
   * @throws an error for the operator: what the step threw, that it took too long, or how the machine died
   */
  run(o: {
    layers: readonly string[]
    step: string
    args: Record<string, unknown>
    /** /dev/vda, /dev/vdb..; made sparse when absent. Without a path: for this run alone. */
    disks: readonly { path?: string; size_bytes: number }[]
    memory_mib: number
    timeout_s: number
    /** It reaches the registry mirror, and nothing else, as `task.registry.access(image, { for: 'guest' })` says. */
    mirror: boolean
    /** Left out: the task's. */
    signal?: AbortSignal
    /** Left out: shown for the task's node. */
    progress?(p: { note: string; done?: number; total?: number; unit?: 'bytes' | 'steps' }): void
  }): Promise<unknown>
}
