/**
 * The names of Ironic's options by section. They tell an option of Ironic that this appliance does not have from a
 * typing error. Whole sections that have no meaning on one box are in ironic.ts.
 * @source Ironic 39.0.0 and the oslo libraries that it loads, by oslo-config-generator --format json with the
 * namespaces of Ironic's tools/config/ironic-config-generator.conf
 */
export const IRONIC_OPTIONS: Readonly<Record<string, string>> = {
  DEFAULT: `
    allow_image_access_via_auth_token auth_strategy autodetect_deploy_interfaces backdoor_port backdoor_socket
    bindir control_exchange debug debug_tracebacks_in_api default_bios_interface default_boot_interface
    default_conductor_group default_console_interface default_deploy_interface default_firmware_interface
    default_inspect_interface default_log_levels default_management_interface default_network_interface
    default_portgroup_mode default_power_interface default_raid_interface default_rescue_interface
    default_resource_class default_storage_interface default_vendor_interface drain_shutdown_timeout
    enabled_bios_interfaces enabled_boot_interfaces enabled_console_interfaces enabled_deploy_interfaces
    enabled_firmware_interfaces enabled_hardware_types enabled_inspect_interfaces enabled_management_interfaces
    enabled_network_interfaces enabled_power_interfaces enabled_raid_interfaces enabled_rescue_interfaces
    enabled_storage_interfaces enabled_vendor_interfaces esp_image executor_thread_pool_size fatal_deprecations
    force_raw_images graceful_shutdown_timeout grub_config_path grub_config_template hash_partition_exponent
    hash_ring_algorithm hash_ring_reset_interval host http_basic_auth_user_file ignore_project_check_for_admin_tasks
    image_download_concurrency instance_format instance_uuid_format isolinux_bin isolinux_config_template
    ldlinux_c32 log_color log_config_append log_date_format log_dir log_file log_in_db_max_size log_options
    log_rotate_interval log_rotate_interval_type log_rotation_type logging_context_format_string
    logging_debug_format_suffix logging_default_format_string logging_exception_prefix logging_user_identity_format
    max_logfile_count max_logfile_size_mb minimum_memory_wait_retries minimum_memory_wait_time
    minimum_memory_warning_only minimum_required_memory my_ip my_ipv6 notification_level parallel_image_downloads
    pecan_debug pin_release_version publish_errors pybasedir rate_limit_burst rate_limit_except_level
    rate_limit_interval raw_image_growth_factor rbac_service_project_name rbac_service_role_elevated_access
    rpc_ping_enabled rpc_response_timeout rpc_transport state_path syslog_log_facility tempdir transport_url
    use_journal use_json use_rpc_for_database use_stderr use_syslog versioned_notifications_topics
    webserver_connection_timeout webserver_tls_ciphers webserver_tls_minimum_version webserver_verify_ca
    webserver_verify_timeout`,
  agent: `
    agent_api_version allow_md5_checksum api_ca_file certificates_path command_timeout command_wait_attempts
    command_wait_interval deploy_logs_collect deploy_logs_local_path deploy_logs_storage_backend
    deploy_logs_swift_container deploy_logs_swift_days_to_expire enable_bios_bootloader_install
    image_download_source manage_agent_boot max_command_attempts memory_consumed_by_agent neutron_agent_max_attempts
    neutron_agent_poll_interval neutron_agent_status_retry_interval post_deploy_get_power_state_retries
    post_deploy_get_power_state_retry_interval require_tls stream_raw_images tls_ciphers tls_minimum_version
    verify_ca`,
  agent_containers: `
    allow_arbitrary_containers allowed_containers container_steps_file pull_options run_options runner`,
  anaconda: `
    default_ks_template insecure_heartbeat`,
  ansible: `
    ansible_extra_args ansible_playbook_script config_file_path default_clean_playbook default_clean_steps_config
    default_deploy_playbook default_key_file default_python_interpreter default_shutdown_playbook default_username
    extra_memory image_store_cafile image_store_certfile image_store_insecure image_store_keyfile playbooks_path
    post_deploy_get_power_state_retries post_deploy_get_power_state_retry_interval verbosity`,
  api: `
    api_workers cert_file disallow_clean_steps disallow_deploy_steps disallow_service_steps
    disallowed_enrollment_boot_modes enable_ramdisk_endpoints enable_ssl_api host_ip key_file max_json_body_depth
    max_json_body_size max_json_body_size_inspection max_json_body_size_provision max_limit middleware
    network_data_schema port project_admin_can_manage_own_nodes public_endpoint ramdisk_heartbeat_timeout
    restrict_lookup server_tls_ciphers server_tls_minimum_version unix_socket unix_socket_mode`,
  audit: `
    audit_map_file enabled ignore_req_list`,
  auto_discovery: `
    driver enabled inspection_scope`,
  cifs: `
    base_url password share_path username`,
  conductor: `
    allow_deleting_available_nodes allow_provisioning_in_maintenance automated_clean automated_cleaning_runbook
    automated_cleaning_runbook_by_resource_class automated_cleaning_runbook_from_node
    automated_cleaning_runbook_validate_traits automated_cleaning_step_source automatic_lessee
    automatic_lessee_source bootloader bootloader_by_arch cache_clean_up_interval check_allocations_interval
    check_provision_state_interval check_rescue_state_interval clean_callback_timeout clean_step_priority_override
    clear_image_cache_on_deploy_failure conductor_always_validates_images conductor_cleanup_batch_size
    conductor_cleanup_interval conductor_cleanup_timeout conductor_group configdrive_swift_container
    configdrive_swift_temp_url_duration deploy_callback_timeout deploy_kernel deploy_kernel_by_arch deploy_ramdisk
    deploy_ramdisk_by_arch disable_configdrive_check disable_deep_image_inspection disable_file_checksum
    disable_kernel_parameter_parsing disable_metadata_mtu_check disable_support_for_checksum_files
    disable_zstandard_decompression disallowed_deployment_boot_modes enable_health_monitoring enable_mdns
    enable_trait_based_networking error_on_ramdisk_config_inconsistency file_url_allowed_paths
    force_power_state_during_sync graceful_shutdown_timeout heartbeat_interval heartbeat_timeout
    inspect_wait_timeout log_step_flows_to_syslog max_concurrent_clean max_concurrent_deploy
    max_concurrent_per_conductor_group max_conductor_wait_step_seconds node_history node_history_cleanup_batch_count
    node_history_cleanup_interval node_history_max_entries node_history_minimum_days node_locked_retry_attempts
    node_locked_retry_interval periodic_max_workers permit_child_node_step_async_result permitted_image_formats
    power_failure_recovery_interval power_state_change_timeout power_state_sync_max_retries poweroff_in_cleanfail
    poweroff_in_servicefail record_step_flows_in_history require_rescue_password_hashed rescue_callback_timeout
    rescue_kernel rescue_kernel_by_arch rescue_password_hash_algorithm rescue_ramdisk rescue_ramdisk_by_arch
    reserved_workers_pool_percentage service_callback_timeout soft_power_off_timeout sync_local_state_interval
    sync_power_state_interval sync_power_state_workers trait_based_networking_config_file
    trait_based_networking_enable_default_trait trait_based_networking_raise_when_no_match
    verify_step_priority_override workers_pool_size`,
  console: `
    kill_timeout port_range socat_address subprocess_checking_interval subprocess_timeout terminal_pid_dir
    terminal_timeout`,
  cors: `
    allow_credentials allow_headers allow_methods allowed_origin expose_headers max_age`,
  deploy: `
    configdrive_use_object_store continue_if_disk_secure_erase_fails create_configuration_priority default_boot_mode
    delete_configuration_priority disk_erasure_concurrency enable_ata_secure_erase enable_nvme_secure_erase
    erase_devices_metadata_priority erase_devices_priority erase_skip_read_only external_callback_url
    external_http_url fast_track fast_track_timeout http_image_subdir http_root http_url image_server_auth_hosts
    image_server_auth_permit_unknown_hosts image_server_auth_strategy image_server_password image_server_user
    iso_cache_size iso_cache_ttl iso_master_path power_off_after_deploy_failure ramdisk_image_download_source
    shred_final_overwrite_with_zeros shred_random_overwrite_iterations`,
  dhcp: `
    dhcp_provider`,
  disk_utils: `
    image_convert_attempts image_convert_memory_limit`,
  drac: `
    bios_factory_reset_timeout boot_device_job_status_timeout config_job_max_retries
    query_raid_config_job_status_interval raid_job_timeout`,
  errors: `
    fatal_exception_format_errors`,
  inspection_rules: `
    built_in_rules mask_secrets`,
  inspector: `
    add_ports callback_endpoint_override cpu_capabilities default_hooks disk_partitioning_spacing
    extra_hardware_strict extra_kernel_params force_dhcp hooks keep_ports known_accelerators pci_device_alias
    physical_network_cidr_map power_off pre_create_ports require_managed_boot status_check_period update_pxe_enabled`,
  inventory: `
    data_backend swift_data_container`,
  ipmi: `
    additional_retryable_ipmi_errors cipher_suite_versions command_retry_timeout debug disable_boot_timeout
    kill_on_timeout min_command_interval store_cred_in_env use_ipmitool_retries`,
  mdns: `
    interfaces lookup_attempts params registration_attempts`,
  metrics: `
    agent_backend agent_global_prefix agent_prepend_host agent_prepend_host_reverse agent_prepend_uuid backend
    global_prefix prepend_host prepend_host_reverse`,
  metrics_statsd: `
    agent_statsd_host agent_statsd_port statsd_host statsd_port`,
  nfs: `
    base_url share_path`,
  oci: `
    authentication_config permit_fallback_to_http_transport secure_cdn_registries verify_ca`,
  pxe: `
    boot_retry_check_interval boot_retry_timeout default_ephemeral_format dir_permission
    enable_insecure_template_override enable_netboot_fallback file_permission image_cache_size image_cache_ttl
    images_path initial_grub_template instance_master_path ip_version ipxe_boot_script ipxe_bootfile_name
    ipxe_bootfile_name_by_arch ipxe_config_template ipxe_fallback_script ipxe_timeout ipxe_use_swift
    kernel_append_params loader_file_paths pxe_bootfile_name pxe_bootfile_name_by_arch pxe_config_subdir
    pxe_config_template pxe_config_template_by_arch tftp_master_path tftp_root tftp_server uefi_ipxe_bootfile_name
    uefi_pxe_bootfile_name uefi_pxe_config_template`,
  redfish: `
    auth_type boot_mode_config_timeout connect_timeout connection_attempts connection_cache_size
    connection_retry_interval default_inspection_hooks enable_verify_bmc_clock enable_vmedia_insert_polling
    file_permission firmware_source firmware_update_bmc_timeout firmware_update_bmc_version_check_interval
    firmware_update_fail_interval firmware_update_nic_starting_wait firmware_update_overall_timeout
    firmware_update_reboot_delay firmware_update_required_successes firmware_update_resource_validation_timeout
    firmware_update_status_interval firmware_update_validation_interval firmware_update_wait_unresponsive_bmc
    inspection_hooks kernel_append_params post_boot_retry_attempts post_boot_retry_delay
    power_on_conflict_retry_attempts power_on_conflict_retry_interval raid_config_fail_interval
    raid_config_status_interval read_timeout swift_container swift_object_expiry_timeout tls_ciphers
    tls_minimum_version use_swift verify_ca vmedia_insert_poll_interval vmedia_insert_timeout`,
  sensor_data: `
    data_types enable_for_conductor enable_for_nodes enable_for_undeployed_nodes interval send_sensor_data
    wait_timeout workers`,
  ssl: `
    ca_file cert_file ciphers key_file version`,
  vnc: `
    cert_file console_image container_command_template container_executable container_host container_provider
    container_publish_port enable_ssl enabled expire_console_session_interval host_ip key_file
    kubernetes_container_template kubernetes_pod_timeout novnc_auth_schemes novnc_record novnc_web port public_url
    read_only systemd_container_publish_port systemd_container_template tls_ciphers tls_minimum_version
    token_timeout wait_for_ready_timeout`,
}
