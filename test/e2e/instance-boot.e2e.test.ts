/** A machine that writes no disk: it boots its instance from the appliance at each start, until it is torn down. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { packCpio } from '../../pxe/ramdisk/cpio.ts'
import type { LogLine } from '../rack/appliance.ts'
import { bmcArguments, DEFAULT_DRIVER } from '../rack/node-fields.ts'
import type { Rack } from '../rack/rack.ts'
import { ensureRamdisk } from '../rack/ramdisk.ts'
import { DEPLOY_DEADLINE_MS, PREPARE_DEADLINE_MS, rackFor } from './racks.ts'

/** The contract as a stranger uses it: no agent, no disk. */
const PLUGIN = `
const FILES = ['kernel', 'ramdisk', 'overlay']

export default {
  apiVersion: '1',
  name: 'live',
  usesAgent: false,
  options: {},
  properties: {},
  async validate(task) {
    for (const name of FILES) task.images.validateFile(String(task.node.instance_info[name]), { field: 'instance_info/' + name })
  },
  deploySteps: () => [
    {
      step: 'boot_instance',
      priority: 20,
      again: true,
      async run(task) {
        const file = (name) => task.images.file(task.node.instance_info[name], { field: 'instance_info/' + name })
        const [kernel, ...ramdisks] = await Promise.all(FILES.map(file))
        await task.boot.instance({ kernel, ramdisks, parameters: 'console=ttyS0,115200n8 loglevel=3 live=' + task.node.name })
        await task.power.off()
        await task.power.bootFrom('network', { persistent: true })
        await task.power.on()
        return { done: true }
      },
    },
  ],
}
`
const MANIFEST = {
  name: 'plugin-live',
  version: '1.0.0',
  type: 'module',
  exports: './index.js',
  appliance: { kind: 'deploy', name: 'live', apiVersion: '1' },
}
const INIT = `#!/usr/bin/busybox sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
for word in $(cat /proc/cmdline); do
  case "$word" in live=*) echo "the live system of \${word#live=} is up" >/dev/ttyS0 ;; esac
done
while :; do sleep 60; done
`

/**
 * A folder with a plugin and the live system's files: the deploy ramdisk's kernel and base, with an init of our own
 * over it.
 */
async function makeFolder(ramdisk: string): Promise<{ folder: string; fields: string[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'rackstrap-live-'))
  await mkdir(join(folder, 'live'))
  await writeFile(join(folder, 'live', 'package.json'), JSON.stringify(MANIFEST))
  await writeFile(join(folder, 'live', 'index.js'), PLUGIN)
  const overlay = packCpio([{ path: 'init', kind: 'file', content: Buffer.from(INIT), mode: 0o755 }])
  await writeFile(join(folder, 'overlay'), gzipSync(overlay))
  const names = await readdir(ramdisk)
  const inRamdisk = (begin: string) => `file://${join(ramdisk, names.find((name) => name.startsWith(begin)) ?? begin)}`
  const files = {
    kernel: inRamdisk('vmlinuz-'),
    ramdisk: inRamdisk('base-'),
    overlay: `file://${join(folder, 'overlay')}`,
  }
  return { folder, fields: Object.entries(files).flatMap(([key, value]) => ['--instance-info', `${key}=${value}`]) }
}

async function untilUp(rack: Rack, times: number): Promise<void> {
  const machine = rack.hardware.machines[0]
  assert.ok(machine)
  const isUp = async () =>
    (await readFile(machine.options.console, 'latin1')).split('the live system of rack-1 is up').length > times
  for (const end_ms = Date.now() + DEPLOY_DEADLINE_MS; !(await isUp()); await pause(200)) {
    assert.ok(Date.now() < end_ms, `the live system was up less than ${times} times; see ${machine.options.console}`)
  }
}

/** By the API alone: the client takes its seconds for each call. */
function operatorOf(rack: Rack, uuid: string) {
  async function put(what: 'provision' | 'power', target: string): Promise<void> {
    const ask = () => rack.appliance.call('PUT', `/v1/nodes/${uuid}/states/${what}`, { target })
    let answer = await ask()
    // What was done before is in the log a moment before the node is free.
    for (let tries = 0; answer.status === 409 && tries < 50; tries++) {
      await pause(100)
      answer = await ask()
    }
    assert.equal(answer.status, 202, answer.text)
  }
  return {
    put,
    async provision(target: string, state: string): Promise<void> {
      const from = rack.appliance.lines.length
      await put('provision', target)
      const isThere = ({ message, node, to }: LogLine) =>
        message === 'provision state changed' && node === uuid && (to === state || to === 'deploy failed')
      const { to } = await rack.appliance.waitFor(state, isThere, { timeout_s: 60, from })
      assert.equal(to, state)
    },
  }
}

describe('an instance that is booted from the appliance', () => {
  it('comes up after its deploy, and after a restart of the appliance and a power cycle, and no more once torn down', {
    timeout: PREPARE_DEADLINE_MS + DEPLOY_DEADLINE_MS,
  }, async (test) => {
    const ramdisk = await ensureRamdisk(AbortSignal.timeout(PREPARE_DEADLINE_MS))
    const { folder, fields } = await makeFolder(ramdisk.folder)
    test.after(() => rm(folder, { recursive: true }))
    const config = { DEFAULT: { plugin_path: join(folder, 'live'), enabled_deploy_interfaces: 'direct,live' } }
    await using rack = await rackFor(test, { images: [ramdisk.folder, folder], config })
    const about = [...bmcArguments(0, DEFAULT_DRIVER), '--deploy-interface', 'live', '-f', 'value', '-c', 'uuid']
    const created = await rack.baremetal('node', 'create', '--name', 'rack-1', '--driver', DEFAULT_DRIVER, ...about)
    const uuid = created.trim()
    await rack.baremetal('node', 'set', 'rack-1', ...fields)
    await rack.baremetal('port', 'create', rack.hardware.machines[0]?.options.mac ?? '', '--node', uuid)
    const { put, provision } = operatorOf(rack, uuid)
    await provision('manage', 'manageable')
    await provision('provide', 'available')

    await provision('active', 'active')
    await untilUp(rack, 1)
    await rack.appliance.kill()
    await rack.appliance.start(AbortSignal.timeout(60_000))
    await put('power', 'rebooting')
    await untilUp(rack, 2)
    await provision('deleted', 'available')
    const from = rack.appliance.lines.length
    await put('power', 'power on')

    const asked = await rack.appliance.waitFor('boot script', ({ message }) => message === 'boot script served', {
      timeout_s: 120,
      from,
    })
    assert.deepEqual([asked.boot, asked.node], ['disk', uuid])
  })
})
