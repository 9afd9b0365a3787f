/** What is said of an ini of Ironic or Bifrost, and of names that nobody knows. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { noMeaning } from '../../../appliance/config/ironic.ts'
import { SECTIONS } from '../../../appliance/config/options.ts'
import { readConfig, readConfigFile } from '../../../appliance/config/read.ts'
import { ironicSummaryOf, renderSummary, warningsOf } from '../../../appliance/config/unknown.ts'
import { registryOptions, upstreamOptions } from '../../../registry-mirror/index.ts'

const TABLES = [...Object.values(SECTIONS), registryOptions, upstreamOptions]
const box = { host: 'box', my_ip: () => '192.0.2.1' }
const warnings = (text: string) => warningsOf(readConfigFile('r.conf', text), TABLES)
const hintOf = (section: string, name: string) =>
  warnings(`[${section}]\n${name} = 1`)[0]?.replace(`r.conf:2: [${section}] ${name} is not known and has no effect`, '')

/** As an operator of Bifrost has it: the sections that it writes, oslo's spellings, and two typing errors. */
const INI = `[DEFAULT]
debug = yes
my_ip = 192.168.50.1
pybasedir = /usr/lib/python3/dist-packages/ironic
enabled_network_interfaces = noop
enabled_deploy_interfaces = direct,
    bootc
enabled_boot_interfaces = ipxe,pxe
default_resource_class = baremetal
rpc_transport = none
transport_url = rabbit://ironic:s3cret@192.168.50.9:5672/
log_dir = "/var/log/ironic"
logging_context_format_string = %(asctime)s.%(msecs)03d %(process)d %(message)s
use_syslog = 0
defualt_deploy_interface = direct

[api]
public_endpoint = http://\${my_ip}:6385
api_workers = 4

[pxe]
pxe_append_params = nofb systemd.journald.forward_to_console=yes
tftp_server = $my_ip
tftp_root = $DEFAULT.state_path/tftpboot

[deploy]
http_url = http://$my_ip:8080/
http_root = $pybasedir/httpboot
image_server_password = '100\\$$'
fast_track = false
enable_ata_secure_erase = off
enable_nvme_secure_erase = ON

[conductor]
automated_clean = False
deploy_kernel = http://192.168.50.1:8080/ipa.kernel
file_url_allowed_paths = /srv/images,
  /var/lib/ironic
send_sensor_datum = true

[database]
connection = mysql+pymysql://ironic:s3cret@localhost/ironic?charset=utf8
max_retries = -1

[keystone_authtoken]
auth_url = http://192.168.50.9:5000
password = s3cret

[service_catalog]
endpoint_override = http://192.168.50.1:6385

[neutron]
cleaning_network = provisioning

[oslo_messaging_notifications]
driver = noop

[inspector]
force_dhcp = False
`

describe('an ini of Ironic', () => {
  it('is read by the rules of oslo.config', () => {
    const { DEFAULT, api, pxe, deploy, conductor, oci } = readConfig(readConfigFile('ironic.conf', INI), box)

    assert.equal(DEFAULT.debug, true)
    assert.deepEqual(DEFAULT.enabled_deploy_interfaces, ['direct', 'bootc'])
    assert.equal(api.public_endpoint, 'http://192.168.50.1:6385')
    assert.equal(pxe.tftp_root, '/var/lib/rackstrap/tftpboot')
    assert.equal(deploy.http_url, 'http://192.168.50.1:8080/')
    assert.equal(deploy.http_root, '/usr/lib/python3/dist-packages/ironic/httpboot')
    assert.equal(oci.image_server_password, '100$$')
    assert.deepEqual([deploy.enable_ata_secure_erase, deploy.enable_nvme_secure_erase], [false, true])
    assert.deepEqual(conductor.file_url_allowed_paths, ['/srv/images', '/var/lib/ironic'])
  })

  it('may use the name that an option had before', () => {
    const { pxe } = readConfig(readConfigFile('ironic.conf', INI), box)

    assert.equal(pxe.kernel_append_params, 'nofb systemd.journald.forward_to_console=yes')
  })

  it('is told of in one summary: what works, what has no meaning on one box and why, what is not built', () => {
    const summary = ironicSummaryOf(readConfigFile('ironic.conf', INI), TABLES)

    assert.equal(
      summary && renderSummary(summary),
      `ironic.conf holds options of Ironic: 16 options work here, 16 have no meaning on one box, 2 are not built here yet and without effect:
  No meaning on one box: they are about Ironic's own Python code.
    [DEFAULT] pybasedir (line 4)
  No meaning on one box: one process has no message bus and calls nobody by RPC.
    [DEFAULT] rpc_transport (line 10), transport_url (line 11)
    [oslo_messaging_notifications] driver (line 56)
  No meaning on one box: the log goes to stdout in lines of JSON, where journald keeps it; only debug changes it.
    [DEFAULT] log_dir (line 12), logging_context_format_string (line 13), use_syslog (line 14)
  No meaning on one box: one process without threads does all the work.
    [api] api_workers (line 19)
  No meaning on one box: the appliance runs DHCP and TFTP itself: [dhcp] interface and dhcp_range settle them, and machines find TFTP at this box's address.
    [pxe] tftp_server (line 23)
  No meaning on one box: the deploy ramdisk lies in the folder [pxe] ramdisk_path, for all nodes.
    [conductor] deploy_kernel (line 36)
  No meaning on one box: records are files below [DEFAULT] state_path, and there is no database.
    [database] connection (line 42), max_retries (line 43)
  No meaning on one box: there is no keystone, and no other service of OpenStack to find by it.
    [keystone_authtoken] auth_url (line 46), password (line 47)
    [service_catalog] endpoint_override (line 50)
    [neutron] cleaning_network (line 53)
  Not built here yet.
    [DEFAULT] default_resource_class (line 9)
    [inspector] force_dhcp (line 59)
`,
    )
  })

  it('has its typing errors told by line, each', () => {
    assert.deepEqual(warningsOf(readConfigFile('ironic.conf', INI), TABLES), [
      'ironic.conf:15: [DEFAULT] defualt_deploy_interface is not known and has no effect: did you mean default_deploy_interface?',
      'ironic.conf:39: [conductor] send_sensor_datum is not known and has no effect: did you mean [sensor_data] send_sensor_data?',
    ])
  })

  it('names no option that is read here as one without a meaning', () => {
    const options = TABLES.flatMap((table) => Object.entries(table))

    const disowned = options.filter(([name, { section }]) => noMeaning(section, name) !== undefined)

    assert.deepEqual(disowned, [])
  })

  it('has no summary when all of it is read here', () => {
    assert.equal(
      ironicSummaryOf(readConfigFile('r.conf', '[pxe]\npxe_append_params = quiet\n[api]\nport = 1'), TABLES),
      undefined,
    )
  })
})

describe('a hint about a name that is not known', () => {
  it('stays within the section, where one letter or two are wrong', () => {
    assert.equal(hintOf('api', 'prot'), ': did you mean port?')
    assert.equal(hintOf('conductor', 'automated_claen'), ': did you mean automated_clean?')
    assert.equal(hintOf('registry', 'enable'), ': did you mean enabled?')
  })

  it('never names an option that is called the same and does something else', () => {
    for (const name of ['enabled', 'enable', 'port', 'tls', 'url', 'quota', 'interface', 'install', 'host']) {
      assert.equal(hintOf('conductor', name), '', name)
    }
    assert.equal(hintOf('api', 'ca_file'), '')
  })

  it('names the one section in which an option of this name stands', () => {
    assert.equal(hintOf('conductor', 'image_cache_size'), ': it stands in [pxe]')
    assert.equal(hintOf('rackstrap', 'state_path'), ': it stands in [DEFAULT]')
    assert.equal(hintOf('DEFAULT', 'image_download_sorce'), ': did you mean [agent] image_download_source?')
  })

  it('tells of a section that there is none', () => {
    assert.equal(hintOf('registri', 'zone'), ': there is no section [registri]; did you mean [registry]?')
    assert.equal(hintOf('weather', 'zone'), ': there is no section [weather]')
  })
})
