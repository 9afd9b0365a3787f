import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SECTIONS } from '../../../appliance/config/options.ts'
import { readConfig, readConfigFile } from '../../../appliance/config/read.ts'
import { renderDocs, renderSample, renderValues } from '../../../appliance/config/render.ts'
import { warningsOf } from '../../../appliance/config/unknown.ts'
import type { Options } from '../../../appliance/plugin-api/index.ts'

const table = {
  source: {
    section: 'agent',
    type: 'string',
    default: 'http',
    choices: ['http', 'local'],
    perNode: ['driver_info', 'instance_info'],
    help: 'Where from.',
  },
  wait: { section: 'agent', type: 'integer', default: 60, min: 1, unit: 's', help: 'Longest wait.' },
  paths: {
    section: 'other',
    type: 'list',
    perNode: ['instance_info'],
    perNodeName: 'other_paths',
    help: 'Some | folders.',
  },
} as const satisfies Options
const box = { host: 'box', my_ip: () => '192.0.2.1' }

describe('sample configuration', () => {
  it('holds each option with help, limits and default, commented out', () => {
    assert.equal(
      renderSample([table]),
      `# Rackstrap. Each option stands here with its default; take the # away to change it.

[agent]

# Where from.
# One of: http, local.
# For one node: driver_info, then instance_info.
#source = http

# Longest wait.
# In s, at least 1.
#wait = 60

[other]

# Some | folders.
# For one node: instance_info/other_paths.
#paths =
`,
    )
  })

  it('gives the very defaults when every option in it is taken in', () => {
    const sample = renderSample(Object.values(SECTIONS)).replace(/^#(\w+ =)/gm, '$1')
    const file = readConfigFile('sample', sample)

    assert.deepEqual(readConfig(file, box), readConfig(readConfigFile('empty', ''), box))
    assert.deepEqual(warningsOf(file, Object.values(SECTIONS)), [])
  })
})

describe('docs of the configuration', () => {
  it('are one table a section', () => {
    assert.match(
      renderDocs([table]),
      /## \[other\]\n\n\| option \| type \| default \| meaning \|\n\|---\|---\|---\|---\|\n\| `paths` \| list \| {2}\| Some \\\| folders\. For one node: instance_info\/other_paths\. \|\n/,
    )
  })
})

describe('configuration check', () => {
  it('prints what would be used in a form that reads back as the same', () => {
    const config = readConfig(
      readConfigFile('r.conf', '[dhcp]\ndhcp_range = 10.0.0.5,10.0.0.9; fd66::,ra-only\n[DEFAULT]\ndebug = on'),
      box,
    )

    const text = renderValues(
      Object.entries(SECTIONS).map(([name, options]) => ({ options, values: config[name as keyof typeof config] })),
    )

    assert.match(
      text,
      /^\[DEFAULT\]\nstate_path = \/var\/lib\/rackstrap\nhost = box\nmy_ip = 192\.0\.2\.1\ndebug = True\n/,
    )
    assert.deepEqual(readConfig(readConfigFile('again', text), box), config)
  })

  it('masks what is secret', () => {
    const options = { server_password: { section: 'deploy', type: 'string', help: 'A secret.' } } as const

    assert.equal(renderValues([{ options, values: { server_password: 'x' } }]), '[deploy]\nserver_password = ******\n')
  })
})
