/** [redfish], as a box without a word about it has it, with shorter pauses. */
import { NO_FILE, readConfig } from '../../../../appliance/config/read.ts'

export const REDFISH_OPTIONS = {
  ...readConfig(NO_FILE, { host: 'box', my_ip: () => '192.0.2.1' }).redfish,
  connection_retry_interval: 0.05,
  post_boot_retry_delay: 0.05,
  power_on_conflict_retry_interval: 0.05,
}
