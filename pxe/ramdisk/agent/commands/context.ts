/** What every command may touch. Made once in main.ts. */
import type { NodeRecord } from '../hardware/root-device.ts'
import type { AgentOptions } from '../kernel-parameters.ts'
import type { Programs } from '../programs.ts'
import type { Screen } from '../screen.ts'

export type AgentContext = {
  /** Where /proc, /sys, /dev and the programs are. */
  root: string
  options: AgentOptions
  programs: Programs
  screen: Screen
  /** The node as Ironic sent it last, by lookup or with a step. */
  node: NodeRecord
  /** Comes with the lookup's answer. */
  md5_enabled: boolean
  /** Set by write_image; asked for afterwards. */
  root_uuid: string | undefined
  /** Stops the API and takes the network down; the machine then waits to be switched off. */
  lockDown(): void
  /** Stops the API and the heartbeats for good; the network stays, for whoever has the machine now. */
  handOver(): void
}
