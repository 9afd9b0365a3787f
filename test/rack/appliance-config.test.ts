import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { configFor, renderIni } from './appliance-config.ts'

describe("configuration of the rack's appliance", () => {
  it('listens in the rack only, and gives addresses there', () => {
    const text = renderIni(configFor({ folder: '/tmp/r', ramdisk: '/cache/ramdisk-1', images: ['/a', '/b'] }))

    assert.equal(
      text,
      `[DEFAULT]
state_path = /tmp/r/state
my_ip = 172.22.0.1
reachable_networks = 127.0.0.0/8, 172.22.0.1

[api]
host_ip = 172.22.0.1
allow_open = True

[deploy]
http_url = http://172.22.0.1:8080

[conductor]
file_url_allowed_paths = /a,/b
automated_clean = False

[dhcp]
dhcp_provider = dnsmasq
interface = rack0
dhcp_range = 172.22.0.50,172.22.0.250,255.255.255.0,10m; fd66::,ra-only
dnsmasq_options = no-ping

[pxe]
ramdisk_path = /cache/ramdisk-1
`,
    )
  })

  it('can be changed by option and by section; null takes an option away', () => {
    const text = renderIni(
      { api: { port: '1', host_ip: 'x' } },
      { api: { port: '2', host_ip: null }, agent: { a: 'b' } },
    )

    assert.equal(text, '[api]\nport = 2\n\n[agent]\na = b\n')
  })
})
