import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SECTIONS } from '../../../appliance/config/options.ts'
import {
  ConfigInvalid,
  NO_FILE,
  readConfig,
  readConfigFile,
  readNamedSections,
  readOptions,
} from '../../../appliance/config/read.ts'
import { warningsOf } from '../../../appliance/config/unknown.ts'
import type { Options } from '../../../appliance/plugin-api/index.ts'

const box = { host: 'box', my_ip: (name: string | undefined) => (name ? `address of ${name}` : '192.0.2.1') }
const read = (text: string) => readConfig(readConfigFile('r.conf', text), box)
const problemsOf = (text: string): string[] => {
  try {
    read(text)
  } catch (error) {
    if (error instanceof ConfigInvalid) return error.message.split('\n')
    throw error
  }
  return []
}
const warnings = (text: string) => warningsOf(readConfigFile('r.conf', text), Object.values(SECTIONS))

describe('configuration', () => {
  it('is complete without any file, with what the box says of itself', () => {
    const config = readConfig(NO_FILE, box)

    assert.equal(config.DEFAULT.host, 'box')
    assert.equal(config.api.port, 6385)
    assert.equal(config.deploy.http_url, 'http://192.0.2.1:8080')
    assert.equal(config.pxe.ramdisk_path, '/var/lib/rackstrap/ramdisk')
    assert.equal(config.dhcp.dhcp_provider, 'none')
    assert.deepEqual(problemsOf(''), [])
  })

  it("takes Ironic's spellings of values", () => {
    const { DEFAULT, agent, conductor } = read(
      '[DEFAULT]\ndebug = Yes\nforce_raw_images = 0\n[agent]\nimage_download_source: local\n[conductor]\npermitted_image_formats = raw, qcow2\n',
    )

    assert.equal(DEFAULT.debug, true)
    assert.equal(DEFAULT.force_raw_images, false)
    assert.equal(agent.image_download_source, 'local')
    assert.deepEqual(conductor.permitted_image_formats, ['raw', 'qcow2'])
  })

  it('puts other options in where $name stands', () => {
    const { pxe, deploy } = read(
      `[DEFAULT]\nstate_path = /srv/r\nmy_ip = 10.0.0.1\n[pxe]\ntftp_root = \${state_path}/$$t\n`,
    )

    assert.equal(pxe.tftp_root, '/srv/r/$t')
    assert.equal(pxe.instance_master_path, '/srv/r/master_images')
    assert.equal(deploy.http_url, 'http://10.0.0.1:8080')
  })

  it("takes the address of [dhcp] interface for the box's own", () => {
    assert.equal(read('[dhcp]\ninterface = eth1').DEFAULT.my_ip, 'address of eth1')
  })

  it('separates DHCP ranges by semicolons and by lines, because they hold commas', () => {
    const { dhcp } = read('[dhcp]\ndhcp_range = 10.0.0.5,10.0.0.9,1h; fd66::,ra-only\n  10.1.0.0,proxy\n')

    assert.deepEqual(dhcp.dhcp_range, ['10.0.0.5,10.0.0.9,1h', 'fd66::,ra-only', '10.1.0.0,proxy'])
  })

  it('takes an option with nothing behind its sign as not set', () => {
    assert.equal(read('[api]\nport =\n').api.port, 6385)
  })

  it('refuses bad values with file and line, all at once', () => {
    const problems = problemsOf('[api]\nport = 66000\n[DEFAULT]\ndebug = perhaps\n[dhcp]\ndhcp_provider = isc\nwhat\n')

    assert.deepEqual(problems, [
      'r.conf:7: "what" is neither [section] nor name = value',
      'r.conf:4: [DEFAULT] debug: expected true or false, found "perhaps"',
      'r.conf:2: [api] port: expected a whole number from 0 to 65535, found "66000"',
      'r.conf:6: [dhcp] dhcp_provider: expected one of none, dnsmasq, found "isc"',
    ])
  })

  for (const option of ['router', 'dns_servers', 'ntp_servers'])
    it(`refuses a name for the addresses of [dhcp] ${option}`, () => {
      assert.deepEqual(problemsOf(`[dhcp]\n${option} = 192.168.50.254, gate.lan`), [
        `r.conf:2: [dhcp] ${option}: expected IPv4 addresses, e.g. 192.168.50.254, found "gate.lan"`,
      ])
    })

  it('refuses a number that is none, with its unit', () => {
    assert.deepEqual(problemsOf('[agent]\ncommand_timeout = 1m'), [
      'r.conf:2: [agent] command_timeout: expected a whole number of at least 1 (s), found "1m"',
    ])
  })

  it('warns of unknown names with the nearest one, of the wrong section, and of repeats', () => {
    const text =
      '[DEFAULT]\nstate_pth = /x\n[api]\ndebug = true\n[dhpc]\na = 1\n[pxe]\nzzz = 1\n[api]\nport = 1\nport = 2\n'

    assert.deepEqual(warnings(text), [
      'r.conf:2: [DEFAULT] state_pth is not known and has no effect: did you mean state_path?',
      'r.conf:4: [api] debug is not known and has no effect: it stands in [DEFAULT]',
      'r.conf:6: [dhpc] a is not known and has no effect: there is no section [dhpc]; did you mean [dhcp]?',
      'r.conf:8: [pxe] zzz is not known and has no effect',
      'r.conf:11: [api] port was given in line 10 already: the last one holds',
    ])
    assert.equal(read(text).api.port, 2)
  })

  it("reads a plugin's options from the same file", () => {
    const table = {
      level: { section: 'strange', type: 'integer', default: 1, min: 0, help: 'A level.' },
      place: { section: 'strange', type: 'string', default: '$state_path/strange', help: 'A place.' },
    } as const
    const file = readConfigFile('r.conf', '[strange]\nlevel = 3\n')

    const values = readOptions(file, table, read(''))

    assert.deepEqual(values, { level: 3, place: '/var/lib/rackstrap/strange' })
    assert.deepEqual(warningsOf(file, [table]), [])
  })
})

describe('sections of a kind, each with a name', () => {
  const table: Options = {
    url: { section: 'thing:NAME', type: 'string', help: 'Where it is.' },
    ttl: { section: 'thing:NAME', type: 'integer', default: 5, help: 'How long.' },
  }
  const sections = (text: string) => readNamedSections(readConfigFile('r.conf', text), table, read(''))

  it('have the same options, each section values of its own', () => {
    const found = sections('[thing:a.b:5000]\nurl = one\n[other]\nx = 1\n[thing:c]\nttl = 7\nurl = $state_path/c\n')

    assert.deepEqual(
      found.map(({ name, values }) => [name, values]),
      [
        ['a.b:5000', { url: 'one', ttl: 5 }],
        ['c', { url: '/var/lib/rackstrap/c', ttl: 7 }],
      ],
    )
  })

  it('are told by file and line when a value is wrong', () => {
    assert.throws(() => sections('[thing:a]\nttl = soon\n'), {
      name: 'ConfigInvalid',
      message: 'r.conf:2: [thing:a] ttl: expected a whole number, found "soon"',
    })
  })

  it('are known by their kind when there are warnings', () => {
    const file = readConfigFile('r.conf', '[thing:a]\nurl = one\nttll = 5\n[thing:]\nurl = x\n[thong:b]\nurl = y\n')

    assert.deepEqual(warningsOf(file, [table]), [
      'r.conf:3: [thing:a] ttll is not known and has no effect: did you mean ttl?',
      'r.conf:5: [thing:] url is not known and has no effect: it belongs under [thing:NAME]',
      'r.conf:7: [thong:b] url is not known and has no effect: it belongs under [thing:NAME]',
    ])
  })
})
