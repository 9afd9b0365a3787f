/**
 * The examples of plugins/TUTORIAL.md and LAYERS.md: what a stranger copies from there passes the suite that it is
 * told to run.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { DeployPlugin, Step } from '../../appliance/plugin-api/index.ts'
import { CHECKS, testDeployPlugin } from '../../appliance/plugin-testing/deploy-plugin.ts'
import { createLoader } from '../../appliance/plugin-testing/plugin-checks/given.ts'
import {
  createTaskOnPaper,
  fileOnPaper,
  IMAGE_FIELDS,
  NODE_UUID,
} from '../../appliance/plugin-testing/task-on-paper.ts'
import type { StepAgent, Steps } from '../../pxe/agent-api.ts'
import { bundle } from '../../pxe/ramdisk/bundle.ts'
import { readLayer } from '../../pxe/ramdisk/layer.ts'
import { block, PAGE, writeExample } from './example.ts'

const README = readFileSync(join(import.meta.dirname, '../../plugins/README.md'), 'utf8')
const instance_info = IMAGE_FIELDS

describe('the example of plugins/TUTORIAL.md', () => {
  const place = mkdtempSync(join(tmpdir(), 'example-'))
  const folder = join(place, 'hello')
  const under = {
    folder,
    name: 'hello',
    setting: { node: { instance_info } },
    refused: { 'a volume of 12': { node: { instance_info, driver_info: { hello_volume: 12 } } } },
  }
  const layer = writeExample(folder)
  after(() => rmSync(place, { recursive: true }))

  testDeployPlugin(() => under)

  it('refuses what it says it refuses', async () => {
    await using loader = await createLoader(under)
    const plugin: DeployPlugin = await loader.load()
    const { task } = createTaskOnPaper({ options: plugin.options, ...under.refused['a volume of 12'] })

    await assert.rejects(plugin.validate(task), {
      message: `driver_info/hello_volume of node ${NODE_UUID} is 12: expected a number from 1 to 11.`,
    })
  })

  it('brings the step that it has the machine run', async () => {
    const script = join(place, 'steps.js')
    writeFileSync(script, bundle(join(layer, 'steps/index.ts')))
    const { steps } = createRequire(import.meta.url)(script) as { steps: Steps }
    const said: string[] = []
    const agent = { screen: { say: (text: string) => said.push(text) } } as unknown as StepAgent

    const result = await steps.say_hello?.run(agent, { text: 'moin', volume: 2 }, { progress() {} })

    assert.equal((await readLayer({ name: 'hello', folder: layer }, 'hardware')).steps, join(layer, 'steps/index.ts'))
    assert.deepEqual([result, said], [{ said: 'moin' }, ['moin', 'moin']])
  })

  it('is what rackstrap plugins new writes', () => {
    const skeleton = (file: string) =>
      readFileSync(join(import.meta.dirname, '../../appliance/plugin-testing/skeleton', file), 'utf8')

    assert.equal(block('json'), skeleton('package.json'))
    assert.equal(block('ts'), skeleton('index.ts'))
    assert.equal(block('typescript'), skeleton('layers/hello/steps/index.ts'))
    assert.ok(skeleton('hello.test.ts').includes(block('js')))
  })

  it('tells how many sentences the suite has', () => {
    assert.match(PAGE, new RegExp(`: ${Object.keys(CHECKS).length} sentences`))
  })
})

describe('the step of plugins/README.md that writes no disk', () => {
  it('says what the machine boots, and starts it', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'step-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const text = block('js', '### What a machine boots', README)
    writeFileSync(join(folder, 'step.mjs'), `export default {\n${text}}\n`)
    const step = (await import(join(folder, 'step.mjs'))).default as Pick<Step, 'run'>
    const [kernel, ramdisk] = ['http://images.example/vmlinuz', 'http://images.example/initrd']
    const { task, calls } = createTaskOnPaper({ node: { instance_info: { kernel, ramdisk } } })

    const result = await step.run(task, {})

    const boot = calls.find(({ name }) => name === 'boot.instance')?.args[0]
    assert.deepEqual(result, { done: true })
    assert.deepEqual(boot, {
      kernel: fileOnPaper(kernel),
      ramdisks: [fileOnPaper(ramdisk)],
      parameters: `inst.ks=http://172.22.0.1:8080/nodes/${NODE_UUID}/${'k'.repeat(32)}/ks.cfg`,
    })
    assert.deepEqual(
      calls.map(({ name }) => name).filter((name) => name.startsWith('power.')),
      ['power.off', 'power.bootFrom', 'power.on'],
    )
  })
})

describe('the ramdisk layer of plugins/LAYERS.md', () => {
  const HEADING = '## Programs on the machine'
  const folder = mkdtempSync(join(tmpdir(), 'layer-'))
  mkdirSync(join(folder, 'steps'))
  writeFileSync(join(folder, 'layer.json'), block('json', HEADING))
  writeFileSync(join(folder, 'steps/index.ts'), block('ts', HEADING))
  after(() => rmSync(folder, { recursive: true }))

  it('is one', async () => {
    const { recipe } = await readLayer({ name: 'smart', folder }, 'hardware')

    assert.deepEqual(recipe.programs, ['usr/sbin/smartctl', 'usr/share/smartmontools/'])
    assert.deepEqual(recipe.modules, ['overlay', 'drivers/md/'])
  })

  it('has a step that runs on the machine', async () => {
    const script = join(folder, 'steps.js')
    writeFileSync(script, bundle(join(folder, 'steps/index.ts')))
    const { steps } = createRequire(import.meta.url)(script) as { steps: Steps }
    const calls: unknown[] = []
    const agent = {
      rootDevice: async () => ({ name: '/dev/vda' }),
      programs: { run: async (...call: unknown[]) => void calls.push(call) },
    } as unknown as StepAgent

    const result = await steps.check_disk?.run(agent, { why: 'new' }, { progress: (told) => calls.push(told) })

    assert.deepEqual(result, { healthy: true, asked: 'new' })
    assert.deepEqual(calls, [{ note: 'testing /dev/vda' }, ['smartctl', ['--health', '/dev/vda'], { timeout_s: 120 }]])
  })
})
