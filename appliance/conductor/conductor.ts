/**
 * What the API may ask of the conductor. All of it returns when what it did is durable; long work goes on behind it.
 */
import type { Heartbeat } from '../agent/heartbeat.ts'
import type { BoundSecrets } from '../plugin-api/bound-secrets.ts'
import type { Json } from '../plugin-api/index.ts'
import type { BootDevice, PowerTarget } from '../plugin-api/interfaces.ts'
import type { HistoryEvent } from '../records/histories.ts'
import type { Found } from '../records/inspections.ts'
import type { InterfaceType, Node } from '../records/kinds/node.ts'
import type { Allocations } from './allocations/allocations.ts'
import type { Asker } from './boot/window.ts'
import type { InspectionReport } from './inspect/report.ts'
import type { Driver } from './interfaces/choose.ts'
import type { NodeConsole } from './machine/console.ts'
import type { Management } from './machine/management.ts'
import type { Raid } from './machine/raid.ts'
import type { Vendor } from './machine/vendor.ts'
import type { ProvisionRequest } from './procedures/request.ts'
import type { ValidationResult } from './validation/validate.ts'

export type { Asker, Driver, Heartbeat }
export type Conductor = {
  readonly hostname: string
  drivers(): readonly Driver[]
  /** Which secrets of nodes go with which address, by all that is loaded. */
  boundSecrets(): readonly BoundSecrets[]
  /**
   * The interfaces of a node to be created or patched: those asked for, checked, and the defaults for the rest.
   * @throws InvalidParameterValue  unknown driver or interface, in Ironic's words (CONTRIBUTING.md, Node create)
   */
  chooseInterfaces(driver: string, wanted: Partial<Record<InterfaceType, string>>): Node['interfaces']
  /** Runs `change` while holding the node's reservation. @throws NodeLocked */
  withNode<T>(uuid: string, purpose: string, change: (node: Node) => Promise<T>): Promise<T>
  /** @throws InvalidStateRequested, NodeLocked, InvalidParameterValue */
  provision(uuid: string, request: ProvisionRequest): Promise<void>
  power(uuid: string, target: PowerTarget, timeout_s?: number): Promise<void>
  validate(uuid: string): Promise<Record<string, ValidationResult>>
  supportedBootDevices(uuid: string): readonly BootDevice[]
  getBootDevice(uuid: string): Promise<{ boot_device: BootDevice | null; persistent: boolean | null }>
  setBootDevice(uuid: string, device: string, persistent: boolean): Promise<void>
  readonly allocations: Omit<Allocations, 'recover'>
  readonly management: Management
  readonly console: NodeConsole
  readonly vendor: Vendor
  readonly raid: Raid
  /**
   * The body of GET /v1/lookup's answer.
   * @param asker  left out: this box itself, which asks over no network
   * @throws NotFound, InvalidParameterValue, NodeLocked
   */
  lookup(
    query: { addresses: readonly string[]; node_uuid?: string },
    asker?: Asker,
  ): Promise<{ node: Node; config: Json }>
  /**
   * What an agent found on its machine. @param asker  as for lookup. @returns the node that waited for it
   * @throws NotFound, InvalidParameterValue, NodeLocked
   */
  continueInspection(report: InspectionReport, asker?: Asker): Promise<Node>
  /** What the last inspection of a node found. @throws NotFound  there is nothing */
  inventory(uuid: string): Promise<Found>
  /** What happened to a node, the oldest first. */
  history(uuid: string): Promise<readonly HistoryEvent[]>
  /** @param asker  as for lookup. @throws NotFound, InvalidParameterValue, NodeLocked */
  heartbeat(uuid: string, heartbeat: Heartbeat, asker?: Asker): Promise<void>
}
