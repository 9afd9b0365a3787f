/**
 * A configuration file of Ironic: which of its options have no meaning on one box and why, and which are not built
 * here yet.
 */
import { IRONIC_OPTIONS } from './ironic-options.ts'

type Group = { why: string; sections?: readonly string[]; options?: Readonly<Record<string, string>> }

/** `*` at the end of a section stands for anything. */
const NO_MEANING: readonly Group[] = [
  {
    why: 'one process has no message bus and calls nobody by RPC',
    sections: ['oslo_messaging_*', 'json_rpc', 'ironic_networking_json_rpc'],
    options: {
      DEFAULT:
        'transport_url rpc_transport rpc_response_timeout rpc_ping_enabled rpc_thread_pool_size control_exchange executor_thread_pool_size use_rpc_for_database versioned_notifications_topics notification_level rpc_conn_pool_size conn_pool_min_size conn_pool_ttl',
    },
  },
  {
    why: 'records are files below [DEFAULT] state_path, and there is no database',
    sections: ['database', 'oslo_versionedobjects'],
    options: { DEFAULT: 'log_in_db_max_size pin_release_version' },
  },
  {
    why: 'there is no keystone, and no other service of OpenStack to find by it',
    sections: ['keystone_authtoken', 'service_catalog', 'oslo_policy', 'neutron', 'nova', 'cinder', 'glance', 'swift'],
    options: {
      DEFAULT:
        'rbac_service_project_name rbac_service_role_elevated_access ignore_project_check_for_admin_tasks allow_image_access_via_auth_token',
      agent: 'neutron_agent_max_attempts neutron_agent_poll_interval neutron_agent_status_retry_interval',
      inventory: 'swift_data_container',
    },
  },
  {
    why: 'one conductor owns all nodes, so that there is no ring and no heartbeat between conductors',
    options: {
      DEFAULT: 'hash_partition_exponent hash_ring_algorithm hash_ring_reset_interval default_conductor_group',
      conductor:
        'heartbeat_interval heartbeat_timeout conductor_group conductor_cleanup_batch_size conductor_cleanup_interval conductor_cleanup_timeout max_concurrent_per_conductor_group',
    },
  },
  {
    why: 'one process without threads does all the work',
    sections: ['oslo_concurrency'],
    options: {
      DEFAULT: 'graceful_shutdown_timeout drain_shutdown_timeout backdoor_port backdoor_socket',
      api: 'api_workers middleware unix_socket unix_socket_mode',
      conductor: 'workers_pool_size periodic_max_workers reserved_workers_pool_percentage graceful_shutdown_timeout',
    },
  },
  {
    why: 'the log goes to stdout in lines of JSON, where journald keeps it; only debug changes it',
    options: {
      DEFAULT:
        'default_log_levels log_color log_config log_config_append log_date_format log_dir log_file log_options log_rotate_interval log_rotate_interval_type log_rotation_type logdir logfile logging_context_format_string logging_debug_format_suffix logging_default_format_string logging_exception_prefix logging_user_identity_format max_logfile_count max_logfile_size_mb publish_errors rate_limit_burst rate_limit_except_level rate_limit_interval syslog_log_facility use_journal use_json use_stderr use_syslog instance_format instance_uuid_format watch_log_file verbose',
    },
  },
  {
    why: "they are about Ironic's own Python code",
    sections: ['profiler*', 'errors'],
    options: { DEFAULT: 'pybasedir bindir debug_tracebacks_in_api fatal_deprecations pecan_debug' },
  },
  {
    why: 'the appliance renders the boot scripts itself',
    options: {
      DEFAULT: 'grub_config_template isolinux_config_template',
      pxe: 'ipxe_boot_script ipxe_config_template ipxe_fallback_script pxe_config_template pxe_config_template_by_arch uefi_pxe_config_template initial_grub_template pxe_config_subdir enable_insecure_template_override enable_netboot_fallback pxe_bootfile_name uefi_pxe_bootfile_name ipxe_use_swift tftp_master_path images_path dir_permission file_permission loader_file_paths ipxe_enabled',
    },
  },
  {
    why: "the appliance runs DHCP and TFTP itself: [dhcp] interface and dhcp_range settle them, and machines find TFTP at this box's address",
    sections: ['dnsmasq', 'pxe_filter'],
    options: { pxe: 'tftp_server ip_version' },
  },
  {
    why: 'the deploy ramdisk lies in the folder [pxe] ramdisk_path, for all nodes',
    options: {
      conductor:
        'deploy_kernel deploy_ramdisk deploy_kernel_by_arch deploy_ramdisk_by_arch rescue_kernel rescue_ramdisk rescue_kernel_by_arch rescue_ramdisk_by_arch',
    },
  },
  {
    why: 'the deploy interface says what a machine boots, and config drives and logs are kept on this box, in no object store',
    options: {
      deploy: 'default_boot_option configdrive_use_object_store',
      conductor: 'configdrive_swift_container configdrive_swift_temp_url_duration configdrive_use_swift',
      agent: 'deploy_logs_swift_container deploy_logs_swift_days_to_expire',
    },
  },
  {
    why: 'only the hash of a rescue password is stored, so that no agent can be given the password itself',
    options: { conductor: 'require_rescue_password_hashed' },
  },
  { why: '/healthz and /metrics of the API are always on', sections: ['healthcheck', 'metrics', 'metrics_statsd'] },
  {
    why: 'the API is asked directly, without a proxy of oslo in front',
    sections: ['oslo_middleware'],
  },
]

/**
 * Names that an option of ours had in Ironic before; its value counts all the same.
 * @source Ironic 39.0.0, deprecated names
 */
const FORMER: Readonly<Record<string, readonly string[]>> = { 'pxe/kernel_append_params': ['pxe_append_params'] }
export const formerNamesOf = (section: string, name: string): readonly string[] => FORMER[`${section}/${name}`] ?? []
export const isFormerName = (section: string, name: string): boolean =>
  Object.entries(FORMER).some(([key, names]) => key.startsWith(`${section}/`) && names.includes(name))

const words = (text: string | undefined) => (text ?? '').split(/\s+/).filter((word) => word !== '')
const isSection = (pattern: string, section: string) =>
  pattern.endsWith('*') ? section.startsWith(pattern.slice(0, -1)) : pattern === section

/** @returns why an option has no meaning on one box; undefined: it may have one */
export function noMeaning(section: string, name: string): string | undefined {
  return NO_MEANING.find(
    ({ sections, options }) =>
      sections?.some((pattern) => isSection(pattern, section)) || words(options?.[section]).includes(name),
  )?.why
}

export const isIronics = (section: string, name: string): boolean => words(IRONIC_OPTIONS[section]).includes(name)

/** The sections in which Ironic has an option of this name. */
export const ironicSectionsWith = (name: string): string[] =>
  Object.keys(IRONIC_OPTIONS).filter((section) => isIronics(section, name))
