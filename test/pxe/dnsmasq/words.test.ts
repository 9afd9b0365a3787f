import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { explainEnd, explainRefusal, readDnsmasqLine } from '../../../pxe/dnsmasq/words.ts'

describe("a line of dnsmasq's log", () => {
  it('is a lease when an address is given, with or without a name', () => {
    for (const line of [
      'dnsmasq-dhcp[311]: 2718281828 DHCPACK(rack0) 172.22.0.119 52:54:00:22:00:01',
      'dnsmasq-dhcp[311]: 2718281828 DHCPACK(rack0) 172.22.0.119 52:54:00:22:00:01 node-1',
      'dnsmasq-dhcp: DHCPACK(rack0) 172.22.0.119 52:54:00:22:00:01',
    ]) {
      assert.deepEqual(readDnsmasqLine(line)?.lease, { mac: '52:54:00:22:00:01', ip: '172.22.0.119' }, line)
    }
  })

  it('is no lease when an address is only offered, asked for or refused, or a client gives itself a name that looks so', () => {
    for (const line of [
      'dnsmasq-dhcp[311]: 2718281828 DHCPDISCOVER(rack0) 52:54:00:22:00:01',
      'dnsmasq-dhcp[311]: 2718281828 DHCPOFFER(rack0) 172.22.0.119 52:54:00:22:00:01',
      'dnsmasq-dhcp[311]: 2718281828 DHCPREQUEST(rack0) 172.22.0.119 52:54:00:22:00:01',
      'dnsmasq-dhcp[311]: 2718281828 DHCPNAK(rack0) 172.22.0.119 52:54:00:22:00:01 wrong network',
      'dnsmasq-dhcp[311]: 2718281828 client provides name: DHCPACK(rack0) 172.22.0.9 52:54:00:22:00:09',
    ]) {
      assert.equal(readDnsmasqLine(line)?.lease, undefined, line)
    }
  })

  it('tells when dnsmasq has its sockets', () => {
    const started = readDnsmasqLine('dnsmasq[311]: started, version 2.90 DNS disabled')

    assert.deepEqual(started, { text: 'started, version 2.90 DNS disabled', started: true })
  })

  it('is cut, however long', () => {
    assert.equal(readDnsmasqLine('x'.repeat(10_000))?.text.length, 500)
    assert.equal(readDnsmasqLine('  '), undefined)
  })
})

describe('the end of dnsmasq', () => {
  const explained = [
    [
      ['unknown interface eth9'],
      'this box has no network interface "eth9". Correct [dhcp] interface, or bring it up: "ip link" shows them.',
    ],
    [
      ['failed to bind DHCP server socket: Address already in use'],
      'another DHCP server of this box holds UDP port 67. End it ("ss -lunp" shows it), or set [dhcp] dhcp_provider = none.',
    ],
    [
      ['failed to create listening socket for 172.22.0.1: Address already in use'],
      'another TFTP server of this box holds UDP port 69 at 172.22.0.1. End it: "ss -lunp" shows it.',
    ],
    [
      ['failed to bind DHCP server socket: Permission denied'],
      'it may not open privileged ports. Run the appliance as root, or with CAP_NET_BIND_SERVICE, CAP_NET_ADMIN and CAP_NET_RAW.',
    ],
    [
      ['TFTP directory /srv/tftp inaccessible: Permission denied', 'FAILED to start up'],
      'it cannot read /srv/tftp: Permission denied. Make [pxe] tftp_root readable for everyone.',
    ],
    [
      ['cannot open or create lease file /var/lib/rackstrap/dnsmasq/leases: Permission denied'],
      'it cannot write /var/lib/rackstrap/dnsmasq/leases: Permission denied. Correct the owner of [DEFAULT] state_path.',
    ],
    [['something new', 'FAILED to start up'], 'it ended with status 5; its last words: something new'],
    [[], 'it ended with status 5 and said no reason.'],
  ] as const
  for (const [last, sentence] of explained) {
    it(`is explained: ${last[0] ?? 'no word'}`, () => {
      assert.equal(explainEnd(last, 'status 5'), sentence)
    })
  }
})

describe("dnsmasq's refusal of its configuration", () => {
  it('is told with the line that it means', () => {
    const refusal = explainRefusal('\ndnsmasq: bad option at line 2 of /x/dnsmasq.conf.new\n', 'port=0\nbogus=1\n')

    assert.equal(refusal, 'bad option in "bogus=1".')
  })

  it('is told as it is when it names no line', () => {
    assert.equal(explainRefusal('\ndnsmasq: inconsistent DHCP range\n', 'port=0\n'), 'inconsistent DHCP range.')
  })
})
