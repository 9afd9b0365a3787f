/** What is read of the box that the tests run on; lo is on each. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { thisBox } from '../../../appliance/serve/box.ts'

const BOX = join(import.meta.dirname, '../../../appliance/serve/box.ts')
const ENTER = process.getuid?.() === 0 ? ['--net'] : ['--map-root-user', '--net']
const mayEnter = spawnSync('unshare', [...ENTER, 'true']).status === 0

describe('the network interfaces of this box', () => {
  it('are told with their addresses', () => {
    assert.ok(thisBox.interfaces().get('lo')?.includes('127.0.0.1/8'))
  })

  it('are those of the network namespace: with an address or without, and with no cable in them', {
    skip: !mayEnter,
  }, () => {
    const print = `import { thisBox } from '${BOX}'; console.log(JSON.stringify([...thisBox.interfaces()]))`
    const script =
      'ip link add rack0 type bridge && ip link set rack0 up && ip addr add 192.0.2.9/24 dev rack0 && ip link add bare0 type bridge && exec "$0" --input-type=module-typescript --eval "$1"'
    const { stdout } = spawnSync('unshare', [...ENTER, 'sh', '-c', script, process.execPath, print], {
      encoding: 'utf8',
    })

    const found = new Map<string, string[]>(JSON.parse(stdout))

    assert.deepEqual([...found.keys()].sort(), ['bare0', 'lo', 'rack0'])
    assert.deepEqual([found.get('rack0')?.[0], found.get('bare0')], ['192.0.2.9/24', []])
  })
})
