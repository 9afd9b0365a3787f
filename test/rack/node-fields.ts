/** What a person may say of the rack's nodes beyond what the rack knows: taken to the real client as it was given. */
import { BMC_PASSWORD, BMC_USERNAME, bmcPort, REDFISH_PORT, systemUuid } from './steel/bmc.ts'

/**
 * `info`s and properties are KEY=VALUE as the client reads them: the value is JSON, or else text. Of two with one key
 * the later one counts.
 */
export type NodeFields = {
  /** ipmi when left out. */
  driver?: string | undefined
  /** By the image when left out: `direct` for a disk, `bootc` for a container. */
  deploy_interface?: string | undefined
  /** The hardware type's own when left out. */
  boot_interface?: string | undefined
  driver_info?: readonly string[]
  instance_info?: readonly string[]
  property?: readonly string[]
  /** For `node deploy`: JSON, or the path of a file. */
  deploy_steps?: string | undefined
}

export const DEFAULT_DRIVER = 'ipmi'

/**
 * How a hardware type is told of a machine's BMC. A type that is not here knows of none: somebody attends to the
 * machine.
 */
const BMC_FACTS: Readonly<Record<string, (machine: number) => Record<string, string | number>>> = {
  ipmi: (machine) => ({
    ipmi_address: '127.0.0.1',
    ipmi_port: bmcPort(machine),
    ipmi_username: BMC_USERNAME,
    ipmi_password: BMC_PASSWORD,
  }),
  redfish: (machine) => ({
    redfish_address: `https://127.0.0.1:${REDFISH_PORT}`,
    redfish_system_id: `/redfish/v1/Systems/${systemUuid(machine)}`,
    redfish_username: BMC_USERNAME,
    redfish_password: BMC_PASSWORD,
    redfish_verify_ca: 'False',
  }),
}

/** What such nodes need of the rack. */
export const needsRedfish = (driver: string): boolean => driver === 'redfish'
export const reachesBmc = (driver: string): boolean => Object.hasOwn(BMC_FACTS, driver)

/** What `baremetal node create` needs to know of a machine's BMC. */
export function bmcArguments(machine: number, driver: string): string[] {
  const facts = Object.entries(BMC_FACTS[driver]?.(machine) ?? {})
  return facts.flatMap(([key, value]) => ['--driver-info', `${key}=${value}`])
}

/** For `baremetal node create`, after what the rack says itself. */
export function createArguments({ driver_info = [], property = [], boot_interface }: NodeFields): string[] {
  const interfaces = boot_interface === undefined ? [] : ['--boot-interface', boot_interface]
  return [...interfaces, ...given('--driver-info', driver_info), ...given('--property', property)]
}

export const given = (option: string, values: readonly string[]): string[] => values.flatMap((value) => [option, value])
