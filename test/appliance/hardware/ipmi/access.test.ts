/** driver_info of IPMI nodes, as validate judges it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ipmiAccessOf } from '../../../../appliance/hardware/ipmi/access.ts'
import { createIpmi } from '../../../../appliance/hardware/ipmi/ipmi.ts'
import { createLog } from '../../../../appliance/log.ts'
import { interfaceTask } from '../../../../appliance/plugin-testing/interface-task.ts'
import { LOOPBACK_REACH } from '../../loopback-reach.ts'
import { nodeOnPaper } from '../node-on-paper.ts'

const UUID = nodeOnPaper().uuid
const driver = createIpmi({ log: createLog('error', () => {}), reach: LOOPBACK_REACH, default_boot_mode: 'uefi' })
const validate = (driver_info: Record<string, unknown>) =>
  driver.validate(interfaceTask(nodeOnPaper({ driver_info: { ipmi_address: '10.0.0.1', ...driver_info } })))

describe('driver_info of an ipmi node', () => {
  it('needs ipmi_address and nothing else', () => {
    validate({})
    assert.throws(() => validate({ ipmi_address: undefined }), {
      name: 'MissingParameterValue',
      message: "Missing the following IPMI credentials in node's driver_info: ['ipmi_address'].",
    })
  })

  it('becomes the command line of ipmitool, without the password', () => {
    const { args, cipher_suites } = ipmiAccessOf(
      nodeOnPaper({
        driver_info: {
          ipmi_address: 'bmc1.rack.example',
          ipmi_username: 'admin',
          ipmi_password: 'x',
          ipmi_priv_level: 'OPERATOR',
        },
      }),
    )

    assert.deepEqual(args.join(' '), '-I lanplus -H bmc1.rack.example -p 623 -L OPERATOR -U admin')
    assert.deepEqual(cipher_suites, ['3', '17'])
  })

  it('may ask for another cipher suite, protocol, Kg key or a bridge', () => {
    const access = (driver_info: Record<string, unknown>) =>
      ipmiAccessOf(nodeOnPaper({ driver_info: { ipmi_address: '10.0.0.1', ...driver_info } }))
    const args = (driver_info: Record<string, unknown>) => access(driver_info).args.slice(8).join(' ')
    const suites = (driver_info: Record<string, unknown>) => access(driver_info).cipher_suites

    assert.deepEqual(suites({ ipmi_cipher_suite: 17, ipmi_hex_kg_key: '0a0B' }), ['17'])
    assert.equal(args({ ipmi_protocol_version: 1.5 }), '')
    assert.equal(args({ ipmi_protocol_version: 1.5, ipmi_password: 'x' }), '-A MD5')
    assert.deepEqual(suites({ ipmi_cipher_suite: 0, ipmi_accept_insecure: 'yes' }), ['0'])
    assert.deepEqual(suites({ ipmi_protocol_version: 1.5 }), [])
    assert.equal(
      args({ ipmi_bridging: 'single', ipmi_target_channel: 0, ipmi_target_address: '0x20', ipmi_local_address: 32 }),
      '-m 32 -b 0 -t 0x20',
    )
  })

  it('may have an underscore in its address', () => {
    assert.equal(ipmiAccessOf(nodeOnPaper({ driver_info: { ipmi_address: '_bmc_7.rack' } })).address, '_bmc_7.rack')
  })

  it('tries the cipher suites of the configuration, the last one first, and none without authentication', () => {
    const node = nodeOnPaper({ driver_info: { ipmi_address: '10.0.0.1' } })
    const defaults = { disable_boot_timeout: false, cipher_suite_versions: ['0', '3', '8', '17'] }

    const { cipher_suites, disable_boot_timeout } = ipmiAccessOf(node, defaults)

    assert.deepEqual([cipher_suites, disable_boot_timeout], [['17', '8', '3'], false])
  })

  it('may hold numbers where the CLI made a number of a string', () => {
    const { password, port } = ipmiAccessOf(
      nodeOnPaper({ driver_info: { ipmi_address: '10.0.0.1', ipmi_password: 1234, ipmi_port: '6230' } }),
    )

    assert.deepEqual([password, port], ['1234', 6230])
  })

  for (const address of [
    '-H evil',
    '--help',
    '-oProxyCommand',
    '10.0.0.1 -f /etc/shadow',
    '10.0.0.1;id',
    '$(id)',
    'a..b',
    '_',
  ]) {
    it(`is refused with the address ${address}`, () => {
      assert.throws(() => validate({ ipmi_address: address }), {
        name: 'InvalidParameterValue',
        message: `Invalid IPMI address "${address}" for node ${UUID}. Must be a valid IP address or hostname.`,
      })
    })
  }

  for (const address of ['10.0.0.1', 'fe80::1%eth0', '2001:db8::1', 'bmc-1.rack', 'BMC1']) {
    it(`is fine with the address ${address}`, () => validate({ ipmi_address: address }))
  }

  it('is refused with a line break or a NUL anywhere', () => {
    for (const key of ['ipmi_address', 'ipmi_username', 'ipmi_password', 'ipmi_hex_kg_key']) {
      for (const value of ['a\nb', 'a\0b', 'a\u0085b']) {
        assert.throws(() => validate({ [key]: value }), {
          message: `driver_info/${key} holds a control character (a line break?): remove it.`,
        })
      }
    }
  })

  const REFUSED: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ ipmi_port: 0 }, 'ipmi_port "0" is not a valid port.'],
    [{ ipmi_port: '623x' }, 'ipmi_port "623x" is not a valid port.'],
    [{ ipmi_port: 65536 }, 'ipmi_port "65536" is not a valid port.'],
    [
      { ipmi_priv_level: 'ROOT' },
      'Invalid privilege level value:ROOT, the valid value can be one of ADMINISTRATOR, CALLBACK, OPERATOR, USER',
    ],
    [
      { ipmi_protocol_version: '3.0' },
      'Invalid IPMI protocol version value 3.0, the valid value can be one of 2.0, 1.5',
    ],
    [{ ipmi_cipher_suite: 'best' }, 'Invalid cipher suite best, expected a number'],
    [{ ipmi_cipher_suite: 3, ipmi_protocol_version: '1.5' }, 'Cipher suites cannot be used with IPMI 1.5'],
    [
      { ipmi_cipher_suite: '00' },
      `driver_info/ipmi_cipher_suite of node ${UUID} is 00, by which nobody proves who he is: set it to 3 or 17. When this BMC offers nothing else, set driver_info/ipmi_accept_insecure to true.`,
    ],
    [
      { ipmi_hex_kg_key: 'aa00bb00' },
      `driver_info/ipmi_hex_kg_key of node ${UUID} has a zero byte before its end: ipmitool takes such a key on its command line only, where every program of this box reads it. Give the BMC a Kg key without the byte 00.`,
    ],
    [{ ipmi_hex_kg_key: 'abc' }, 'Number of ipmi_hex_kg_key characters is not even'],
    [{ ipmi_hex_kg_key: 'zz' }, 'driver_info/ipmi_hex_kg_key: expected at most 40 hex digits.'],
    [
      { ipmi_bridging: 'triple' },
      "Invalid value for ipmi_bridging: triple, the valid value can be one of: ['single', 'dual', 'no']",
    ],
    [
      { ipmi_bridging: 'dual', ipmi_target_channel: 1 },
      "['ipmi_target_address', 'ipmi_transit_channel', 'ipmi_transit_address'] not provided",
    ],
    [
      { ipmi_bridging: 'single', ipmi_target_channel: '-f', ipmi_target_address: 1 },
      'driver_info/ipmi_target_channel is "-f": expected a number, such as 0x20.',
    ],
    [
      { ipmi_password: 'ööööööööööö' },
      `driver_info/ipmi_password of node ${UUID} has 22 bytes: IPMI takes at most 20.`,
    ],
    [{ ipmi_username: ['admin'] }, 'driver_info/ipmi_username is an object: expected a string.'],
  ]
  for (const [driver_info, message] of REFUSED) {
    it(`is refused: ${message}`, () => assert.throws(() => validate(driver_info), { message }))
  }
})
