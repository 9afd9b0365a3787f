/** What does not fit this box, which has 192.0.2.1/24 at eth1, and an eth2 without an address. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { problemsOf } from '../../../../appliance/serve/check-settings.ts'
import { settingsOf } from '../settings.ts'

const problemsIn = async (text: string) =>
  problemsOf(await settingsOf(text)).map((problem) => problem.replace(/^.*rackstrap\.conf:(\d+): /, '$1: '))

const dhcp = (range: string, name = 'eth1') =>
  problemsIn(`[dhcp]\ndhcp_provider = dnsmasq\ninterface = ${name}\ndhcp_range = ${range}\n`)

const REMEDY = 'expected a folder, or nothing yet. Move it away, or name another folder.'

describe('[dhcp] dhcp_range', () => {
  for (const range of [
    '192.0.2.100,192.0.2.200',
    '192.0.2.100,192.0.2.200,1h',
    '192.0.2.100, 192.0.2.200, 255.255.255.0, infinite',
    '192.0.2.100,192.0.2.200,255.255.255.0,192.0.2.255,3600',
    'set:rack,192.0.2.100,192.0.2.200,12h',
    '192.0.2.0,proxy',
    '192.0.2.0,static,30m',
    'fd00::10,fd00::99,64,1h',
    '192.0.2.100,192.0.2.200,1h; 10.0.0.5,10.0.0.9,255.255.255.0,1h',
  ]) {
    it(`may be ${range}`, async () => {
      assert.deepEqual(await dhcp(range), [])
    })
  }

  for (const [range, problem] of [
    ['192.0.2.100-192.0.2.200', 'has a hyphen between its addresses: expected a comma, 192.0.2.100,192.0.2.200.'],
    ['192.0.2.200,192.0.2.100', 'ends before it starts: swap 192.0.2.200 and 192.0.2.100.'],
    ['192.0.2.1,192.0.2.50', "holds 192.0.2.1, which is this box's own address: leave it out."],
    [
      '192.168.50.100,192.168.50.200,255.255.255.0,1h',
      'is of another network than this box, which is in 192.0.2.0/24 there: expected addresses of that.',
    ],
    ['192.0.2.100,192.0.3.9', 'reaches beyond the network of this box, 192.0.2.0/24: end it there.'],
    [
      '192.0.2.100,192.0.2.200,255.255.255.192',
      'reaches beyond its network 192.0.2.64/26: end it there, or give a shorter netmask.',
    ],
    ['192.0.2.100,192.0.2.200,255.0.255.0', 'has the netmask "255.0.255.0": expected one such as 255.255.255.0.'],
    [
      '192.0.2.100,192.0.2.200,an hour',
      'has "an hour" for its lease time: expected a number with s, m, h, d or w behind it such as 1h, or infinite.',
    ],
    [
      '192.0.2.100,192.0.2.200,1h,again',
      'goes on with "again" behind the lease time: expected its end there, e.g. 192.168.50.100,192.168.50.200,255.255.255.0,1h.',
    ],
    [
      '192.0.2.300,192.0.2.200',
      'begins with "192.0.2.300": expected an IPv4 address, e.g. 192.168.50.100,192.168.50.200,255.255.255.0,1h.',
    ],
    [
      '192.0.2.100',
      'has "" for its last address: expected an IPv4 address, static or proxy, e.g. 192.168.50.100,192.168.50.200,255.255.255.0,1h.',
    ],
  ] as const) {
    it(`is refused as ${range}`, async () => {
      assert.deepEqual(await dhcp(range), [`4: [dhcp] dhcp_range "${range}" ${problem}`])
    })
  }

  it('is held against my_ip where the interface has no address', async () => {
    assert.deepEqual(await dhcp('10.0.0.5,10.0.0.9', 'eth2'), [
      '4: [dhcp] dhcp_range "10.0.0.5,10.0.0.9" is of another network than this box, which is in 192.0.2.0/24 there: expected addresses of that.',
    ])
  })

  it('is needed with dnsmasq, and of no interest without', async () => {
    assert.deepEqual(await dhcp(''), [
      '4: [dhcp] dhcp_range is empty, and dhcp_provider is dnsmasq: give the addresses for machines, e.g. 192.168.50.100,192.168.50.200,255.255.255.0,1h.',
    ])
    assert.deepEqual(await problemsIn('[dhcp]\ndhcp_range = nonsense\ninterface = eth7'), [])
  })
})

describe('[dhcp] interface', () => {
  it('is one of this box', async () => {
    assert.deepEqual(await dhcp('192.0.2.100,192.0.2.200', 'eth7'), [
      '3: [dhcp] interface is "eth7", and this box has no such network interface: expected one of eth1, eth2.',
    ])
  })
})

describe('an address of the configuration', () => {
  const OWN = 'It has 192.0.2.1 (eth1).'

  it('fits this box when it is its own, the loopback, or all of them', async () => {
    assert.deepEqual(
      await problemsIn('[DEFAULT]\nmy_ip = 192.0.2.1\n[api]\nhost_ip = 192.0.2.1\nallow_open = True'),
      [],
    )
    assert.deepEqual(
      await problemsIn(
        '[DEFAULT]\nmy_ip = 127.0.0.1\n[api]\nhost_ip = ::\nallow_open = True\n[deploy]\nhttp_url = http://rack:8080',
      ),
      [],
    )
  })

  for (const [option, value, problem] of [
    ['my_ip', 'rackbox', `[DEFAULT] my_ip is "rackbox": expected an IP address of this box. ${OWN}`],
    ['my_ip', '192.0.2.300', `[DEFAULT] my_ip is "192.0.2.300": expected an IP address of this box. ${OWN}`],
    ['my_ip', '192.0.2.7', `[DEFAULT] my_ip is 192.0.2.7, which is not an address of this box. ${OWN}`],
    [
      'my_ip',
      '0.0.0.0',
      `[DEFAULT] my_ip is 0.0.0.0, which no machine can call: expected one address of this box. ${OWN}`,
    ],
  ] as const) {
    it(`is refused as ${option} = ${value}`, async () => {
      const text = `[DEFAULT]\n${option} = ${value}\n[deploy]\nhttp_url = http://127.0.0.1:8080`
      assert.deepEqual(await problemsIn(text), [`2: ${problem}`])
    })
  }

  it('is refused once, and not again as the http_url that is made of it', async () => {
    assert.deepEqual(await problemsIn('[DEFAULT]\nmy_ip = 192.0.2.300'), [
      `2: [DEFAULT] my_ip is "192.0.2.300": expected an IP address of this box. ${OWN}`,
    ])
  })

  it('is refused as [api] host_ip when it is an interface, or of another box', async () => {
    assert.deepEqual(await problemsIn('[api]\nhost_ip = eth1'), [
      `2: [api] host_ip is "eth1", which is a network interface (its address is 192.0.2.1): expected an IP address of this box, or 0.0.0.0 for all. ${OWN}`,
    ])
    assert.deepEqual(await problemsIn('[api]\nramdisk_host_ip = 192.0.2.7'), [
      `2: [api] ramdisk_host_ip is 192.0.2.7, which is not an address of this box, so that nothing can listen there. ${OWN}`,
    ])
    assert.deepEqual(await problemsIn('[registry]\nenabled = True\nhost_ip = 192.0.2.7'), [
      `3: [registry] host_ip is 192.0.2.7, which is not an address of this box, so that nothing can listen there. ${OWN}`,
    ])
  })

  it('is refused in [deploy] http_url when it is of another box, or no URL', async () => {
    assert.deepEqual(await problemsIn('[deploy]\nhttp_url = http://192.0.2.7:8080'), [
      `2: [deploy] http_url is "http://192.0.2.7:8080", and 192.0.2.7 is not an address of this box, so that nothing can listen there. ${OWN} When machines are to call another address, set external_http_url.`,
    ])
    assert.deepEqual(await problemsIn('[deploy]\nhttp_url = 192.0.2.1:8080'), [
      '2: [deploy] http_url is "192.0.2.1:8080": expected http://<address>:<port> with nothing behind it, e.g. http://192.0.2.1:8080.',
    ])
  })

  it('has a port of its own', async () => {
    assert.deepEqual(
      await problemsIn(
        '[registry]\nenabled = True\nport = 8080\n[api]\nport = 8080\nhost_ip = 0.0.0.0\nallow_open = True\n',
      ),
      [
        '5: [api] port and [deploy] http_url both name port 8080: expected two. Change one of them.',
        '5: [api] port and [registry] port both name port 8080: expected two. Change one of them.',
      ],
    )
  })
})

describe('a folder of the configuration', () => {
  it('is refused when it is a file, or below one, or a file that is not there', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'check-'))
    t.after(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'file'), '')

    const text = `[DEFAULT]\nstate_path = ${folder}/file\n[pxe]\nramdisk_path = ${folder}/file/ramdisk\ninstance_master_path = ${folder}/new\n[oci]\nauthentication_config = ${folder}/auth.json\n`

    assert.deepEqual(await problemsIn(text), [
      `2: [DEFAULT] state_path is ${folder}/file, and ${folder}/file is a file: ${REMEDY}`,
      `4: [pxe] ramdisk_path is ${folder}/file/ramdisk, and ${folder}/file is a file: ${REMEDY}`,
      `7: [oci] authentication_config is ${folder}/auth.json, and there is no such file.`,
    ])
  })

  it('is refused when this account may not use it', { skip: process.getuid?.() === 0 && 'root may all' }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'check-'))
    t.after(() => rmSync(folder, { recursive: true }))
    mkdirSync(join(folder, 'closed'), { mode: 0 })
    t.after(() => chmodSync(join(folder, 'closed'), 0o700))

    assert.deepEqual(await problemsIn(`[DEFAULT]\nstate_path = ${folder}/closed\n`), [
      `2: [DEFAULT] state_path is ${folder}/closed, which this account (uid ${process.getuid?.()}) may not read and write. Correct its owner or mode, or run this as the account of the service.`,
    ])
  })
})
