/** What the agent takes from the kernel's command line. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseKernelParameters } from '../../../../pxe/ramdisk/agent/kernel-parameters.ts'

function parse(text: string) {
  const complaints: string[] = []
  return { options: parseKernelParameters(text, (problem) => complaints.push(problem)), complaints }
}

describe('kernel parameters', () => {
  it("have ironic-python-agent's defaults", () => {
    const { options, complaints } = parse('BOOT_IMAGE=vmlinuz quiet nofb vga=normal\n')

    assert.deepEqual(complaints, [])
    assert.deepEqual(options, {
      api_urls: [],
      global_request_id: undefined,
      listen_host: undefined,
      listen_port: 9999,
      advertise_host: undefined,
      advertise_port: 0,
      lookup_timeout_s: 600,
      lookup_interval_s: 1,
      disk_wait_attempts: 10,
      disk_wait_delay_s: 3,
      hardware_initialization_delay_s: 0,
      insecure: false,
      agent_token: undefined,
      image_download_connection_timeout_s: 60,
      image_download_connection_retries: 9,
      image_download_connection_retry_interval_s: 10,
      image_download_max_duration_s: 0,
      ironic_api_version: undefined,
      http_request_timeout_s: 30,
      tls_min_version: 'TLSv1.2',
      tls_certificate_curve: 'P-384',
      ignore_bootloader_failure: false,
      guard_special_filesystems: true,
      enable_discard_erase: false,
      inspection_callback_urls: [],
      inspection_collectors: ['default', 'logs'],
      inspection_dhcp_wait_timeout_s: 60,
      inspection_dhcp_all_interfaces: false,
      collect_lldp: false,
      lldp_timeout_s: 30,
      debug: false,
      bootif: undefined,
    })
  })

  it('are taken from what Ironic and iPXE write', () => {
    const { options } = parse(
      'initrd=ramdisk nofb ipa-api-url=http://192.0.2.1:6385/,https://[2001:db8::1]:6385 ipa-debug=1 ipa-insecure=true ' +
        'ipa-global-request-id=req-7 BOOTIF=52:54:00:12:34:56 ipa-tls-min-version=1.3 ipa-tls-certificate-curve=p256 ' +
        'ipa-lookup-timeout=30 ipa-agent-token="a b"',
    )

    assert.deepEqual(options.api_urls, ['http://192.0.2.1:6385', 'https://[2001:db8::1]:6385'])
    assert.equal(options.debug, true)
    assert.equal(options.insecure, true)
    assert.equal(options.global_request_id, 'req-7')
    assert.equal(options.bootif, '52:54:00:12:34:56')
    assert.equal(options.tls_min_version, 'TLSv1.3')
    assert.equal(options.tls_certificate_curve, 'P-256')
    assert.equal(options.lookup_timeout_s, 30)
    assert.equal(options.agent_token, 'a b')
  })

  it('that cannot be taken cost a sentence, and the default is used', () => {
    const { options, complaints } = parse(
      'ipa-lookup-timeout=soon ipa-listen-port=-1 ipa-api-url=ftp://x,http://192.0.2.1',
    )

    assert.equal(options.lookup_timeout_s, 600)
    assert.equal(options.listen_port, 9999)
    assert.deepEqual(options.api_urls, ['http://192.0.2.1'])
    assert.deepEqual(complaints.sort(), [
      "ipa-api-url has 'ftp://x': expected an address that begins with http:// or https://",
      "ipa-listen-port is '-1': expected a number from 0; 9999 is used",
      "ipa-lookup-timeout is 'soon': expected a number from 0; 600 is used",
    ])
  })

  it('given twice count as they were given last', () => {
    assert.equal(parse('ipa-listen-port=1 ipa-listen-port=2').options.listen_port, 2)
  })
})
