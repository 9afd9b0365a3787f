/** The whole text that dnsmasq runs by; the real dnsmasq judges it. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { execa } from 'execa'
import { renderDnsmasqConfig } from '../../../pxe/dnsmasq/config.ts'
import type { PxeConfig } from '../../../pxe/index.ts'
import { exampleConfig } from '../example-config.ts'
import { temporaryFolder } from '../temporary-folder.ts'

const render = (change: Partial<PxeConfig> = {}, keepsRoot = false) =>
  renderDnsmasqConfig(exampleConfig('/var/lib/rackstrap', change), keepsRoot)

async function judge(t: TestContext, change: Partial<PxeConfig>): Promise<string> {
  const folder = await temporaryFolder(t)
  await mkdir(join(folder, 'tftpboot'))
  await writeFile(join(folder, 'config'), renderDnsmasqConfig(exampleConfig(folder, change), true))
  const { stderr } = await execa('dnsmasq', ['--test', `--conf-file=${join(folder, 'config')}`], {
    reject: false,
    timeout: 10_000,
    env: { LC_ALL: 'C' },
  })
  return stderr.trim()
}

describe("dnsmasq's configuration", () => {
  it('gives addresses and boot files, and no DNS', () => {
    assert.equal(
      render(),
      `# Rendered by Rackstrap at each start; changes here are lost. Its [dhcp] and [pxe] options say what is in it.
port=0
interface=rack0
except-interface=lo
bind-interfaces
no-resolv
no-hosts
pid-file=
dhcp-leasefile=/var/lib/rackstrap/dnsmasq/leases
log-dhcp
log-facility=-
enable-tftp
tftp-root=/var/lib/rackstrap/tftpboot
dhcp-range=192.168.50.100,192.168.50.200,255.255.255.0,1h
dhcp-authoritative
dhcp-option=encap:175,176,1b
dhcp-option=3
dhcp-match=set:ipxe,175
dhcp-match=set:bios,option:client-arch,0
dhcp-match=set:efi,option:client-arch,7
dhcp-match=set:efi,option:client-arch,9
dhcp-match=set:efi-http,option:client-arch,16
dhcp-boot=tag:ipxe,http://192.168.50.1:8080/boot.ipxe
dhcp-boot=tag:!ipxe,tag:bios,undionly.kpxe
dhcp-boot=tag:!ipxe,tag:efi,snponly.efi
dhcp-boot=tag:!ipxe,tag:efi-http,http://192.168.50.1:8080/boot/files/snponly.efi
dhcp-option-force=tag:!ipxe,tag:efi-http,60,HTTPClient
`,
    )
  })

  it('announces the router where a range is IPv6, and ends with the lines of the operator', () => {
    const text = render({
      dhcp_ranges: ['set:rack,192.168.50.100,192.168.50.200,1h', 'fd66::,ra-only'],
      dnsmasq_options: ['no-ping', 'dhcp-host=52:54:00:12:34:56,192.168.50.7'],
    })

    assert.match(text, /\ndhcp-range=set:rack,[^\n]*\ndhcp-range=fd66::,ra-only\nenable-ra\ndhcp-authoritative\n/)
    assert.ok(text.endsWith('\nno-ping\ndhcp-host=52:54:00:12:34:56,192.168.50.7\n'))
  })

  it('tells machines the router, name servers and time servers that the operator names, and the lines of the operator come later', () => {
    const text = render({
      routers: ['192.168.50.254'],
      dns_servers: ['9.9.9.9', '192.168.50.53'],
      ntp_servers: ['192.168.50.123'],
      dnsmasq_options: ['dhcp-option=tag:lab,3,192.168.51.1'],
    })

    assert.deepEqual(text.match(/^dhcp-option=(?!encap).*$/gm), [
      'dhcp-option=3,192.168.50.254',
      'dhcp-option=6,9.9.9.9,192.168.50.53',
      'dhcp-option=42,192.168.50.123',
      'dhcp-option=tag:lab,3,192.168.51.1',
    ])
  })

  it('takes only IPv4 addresses for them', () => {
    const options = { routers: 'router', dns_servers: 'dns_servers', ntp_servers: 'ntp_servers' }
    for (const [field, option] of Object.entries(options)) {
      for (const wrong of ['ntp.example.org', '192.168.50.300', 'fd66::1', '192.168.50.1/24', '']) {
        assert.throws(
          () => render({ [field]: ['192.168.50.254', wrong] }),
          {
            name: 'PxeError',
            message: `[dhcp] ${option} has ${JSON.stringify(wrong)}: expected IPv4 addresses with commas between them, e.g. 192.168.50.254.`,
          },
          `${field} ${wrong}`,
        )
      }
    }
  })

  it("speaks beside the site's DHCP server with a proxy range: no authority, boot services instead", () => {
    const text = render({ dhcp_ranges: ['192.168.50.0,proxy,255.255.255.0'] })

    assert.doesNotMatch(text, /dhcp-authoritative|encap:175/)
    assert.equal(
      text.slice(text.indexOf('pxe-service')),
      `pxe-service=tag:!ipxe,x86PC,"Rackstrap",undionly.kpxe
pxe-service=tag:!ipxe,BC_EFI,"Rackstrap",snponly.efi
pxe-service=tag:!ipxe,X86-64_EFI,"Rackstrap",snponly.efi
pxe-service=tag:ipxe,x86PC,"Rackstrap",http://192.168.50.1:8080/boot.ipxe
pxe-service=tag:ipxe,BC_EFI,"Rackstrap",http://192.168.50.1:8080/boot.ipxe
pxe-service=tag:ipxe,X86-64_EFI,"Rackstrap",http://192.168.50.1:8080/boot.ipxe
`,
    )
  })

  it('keeps dnsmasq root only where its files are closed to others', () => {
    assert.doesNotMatch(render(), /^user=/m)
    assert.match(render({}, true), /\nuser=root\n/)
  })

  it('is approved of by dnsmasq itself', async (t) => {
    assert.equal(await judge(t, {}), 'dnsmasq: syntax check OK.')
    assert.equal(await judge(t, { dhcp_ranges: ['192.168.50.0,proxy,255.255.255.0'] }), 'dnsmasq: syntax check OK.')
    assert.equal(
      await judge(t, {
        dhcp_ranges: [
          '192.168.50.100,192.168.50.200,1h',
          '192.168.51.100,192.168.51.200,255.255.255.0,1h',
          'fd66::,ra-only',
        ],
        routers: ['192.168.50.254'],
        dns_servers: ['9.9.9.9', '192.168.50.53'],
        ntp_servers: ['192.168.50.123'],
        dnsmasq_options: ['no-ping'],
      }),
      'dnsmasq: syntax check OK.',
    )
  })

  it('is not made of nothing: an interface and a range are needed', () => {
    assert.throws(() => render({ interface: '' }), {
      name: 'PxeError',
      message: "[dhcp] interface is not set: name the network interface on the rack's side.",
    })
    assert.throws(() => render({ dhcp_ranges: [] }), {
      name: 'PxeError',
      message: '[dhcp] dhcp_range is empty: give addresses, e.g. 192.168.50.100,192.168.50.200,255.255.255.0,1h.',
    })
  })

  it('takes no value that would make a further line', () => {
    const line = 'x\ndhcp-script=/bin/sh'
    const changes: Partial<PxeConfig>[] = [
      { interface: line },
      { tftp_root: line },
      { http_url: line },
      { dhcp_ranges: [line] },
      { dnsmasq_options: [line] },
      { state_path: line },
      { ipxe_bootfile_name: line },
      { uefi_ipxe_bootfile_name: line },
      { routers: [line] },
      { dns_servers: [line] },
      { ntp_servers: [line] },
    ]

    for (const change of changes) {
      assert.throws(
        () => renderDnsmasqConfig(exampleConfig('/var/lib/rackstrap', change), false),
        { name: 'PxeError', message: 'A value for dnsmasq holds a line break: "x\\ndhcp-script=/bin/sh".' },
        JSON.stringify(change),
      )
    }
  })
})
