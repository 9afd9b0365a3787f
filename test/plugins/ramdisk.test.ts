/** The deploy interface ramdisk: conformance, what it boots, and what it refuses. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Json } from '../../appliance/plugin-api/index.ts'
import { testDeployPlugin } from '../../appliance/plugin-testing/deploy-plugin.ts'
import {
  createTaskOnPaper,
  fileOnPaper,
  NODE_UUID,
  type TaskSetting,
} from '../../appliance/plugin-testing/task-on-paper.ts'
import plugin from '../../plugins/ramdisk/index.ts'

const KERNEL = 'http://files.example/vmlinuz'
const RAMDISK = 'http://files.example/initrd.img'
const ISO = 'http://files.example/live.iso'
const SYSTEM = { kernel: KERNEL, ramdisk: RAMDISK }
const nodeWith = (instance_info: Json, driver_info: Json = {}): TaskSetting => ({
  node: { instance_info, driver_info },
})

testDeployPlugin(() => ({
  folder: join(import.meta.dirname, '../../plugins/ramdisk'),
  name: 'ramdisk',
  setting: nodeWith(SYSTEM),
  refused: {
    'a node without a system': nodeWith({}),
    'a kernel without a ramdisk': nodeWith({ kernel: KERNEL }),
    'two systems': nodeWith({ ...SYSTEM, boot_iso: ISO }),
    'parameters that no script can carry': nodeWith({ ...SYSTEM, ramdisk_kernel_arguments: 'quiet || shell' }),
  },
}))

const paperFor = (setting: TaskSetting) => {
  const paper = createTaskOnPaper({ options: plugin.options, ...setting })
  return { ...paper, given: paper.task as unknown as Parameters<typeof plugin.validate>[0] }
}
const [DEPLOY] = plugin.deploySteps()

/** @returns what the machine is to boot, and the calls in their order */
async function deployed(setting: TaskSetting) {
  const { given, calls } = paperFor(setting)
  const result = await DEPLOY?.run(given)
  assert.deepEqual(result, { done: true })
  return { boot: calls.find(({ name }) => name === 'boot.instance')?.args[0] as Json, calls }
}
const parametersFor = async (setting: TaskSetting) => (await deployed(setting)).boot.parameters

describe('deploy interface ramdisk', () => {
  it('says what the machine of an adopted node boots, and switches nothing', async () => {
    const { given, calls } = paperFor(nodeWith(SYSTEM))

    await plugin.adopt(given)

    const names = calls.map(({ name }) => name).filter((name) => /^(boot\.instance|power)/.test(name))
    assert.deepEqual(names, ['boot.instance'])
  })

  it('fetches kernel and ramdisk, says what the machine boots, and starts it from the network for good', async () => {
    const { boot, calls } = await deployed(
      nodeWith({ ...SYSTEM, kernel_checksum: 'a3'.repeat(32), ramdisk_kernel_arguments: 'console=ttyS0' }),
    )

    assert.deepEqual(calls, [
      { name: 'images.file', args: [KERNEL, { field: 'instance_info/kernel', checksum: 'a3'.repeat(32) }] },
      { name: 'images.file', args: [RAMDISK, { field: 'instance_info/ramdisk' }] },
      { name: 'boot.instance', args: [boot] },
      { name: 'power.off', args: [] },
      { name: 'power.bootFrom', args: ['network', { persistent: true }] },
      { name: 'power.on', args: [] },
    ])
    assert.deepEqual(boot, {
      kernel: fileOnPaper(KERNEL),
      ramdisks: [fileOnPaper(RAMDISK)],
      parameters: 'root=/dev/ram0 text nofb vga=normal console=ttyS0',
    })
  })

  it('boots an ISO as it is', async () => {
    const { boot, calls } = await deployed(nodeWith({ boot_iso: ISO, boot_iso_checksum: 'md5:abc' }))

    assert.deepEqual(boot, { iso: fileOnPaper(ISO) })
    assert.deepEqual(calls[0]?.args, [ISO, { field: 'instance_info/boot_iso', checksum: 'md5:abc' }])
  })

  it('says that a config drive is ignored', async () => {
    const { calls } = await deployed(nodeWith({ ...SYSTEM, configdrive: 'aGVsbG8=' }))

    const logged = calls.filter(({ name }) => name === 'log')
    assert.equal(logged.length, 1)
    assert.doesNotMatch(JSON.stringify(logged), /aGVsbG8/)
  })

  it("appends the kernel parameters of the configuration, or the node's, which may quote those", async () => {
    const own = { ...SYSTEM, kernel_append_params: '%default% live=1' }

    assert.deepEqual(
      [
        await parametersFor({ ...nodeWith(SYSTEM), values: { kernel_append_params: 'quiet' } }),
        await parametersFor(nodeWith(SYSTEM, { kernel_append_params: 'nosmp %default%' })),
        await parametersFor(nodeWith(own, { kernel_append_params: 'nosmp' })),
        await parametersFor(nodeWith({ ...SYSTEM, kernel_append_params: '' })),
      ],
      [
        'root=/dev/ram0 text quiet',
        'root=/dev/ram0 text nosmp nofb vga=normal',
        'root=/dev/ram0 text nofb vga=normal live=1',
        'root=/dev/ram0 text',
      ],
    )
  })
})

describe('a node of deploy interface ramdisk', () => {
  const NEXT = 'Set instance_info/kernel and instance_info/ramdisk, or instance_info/boot_iso alone.'
  for (const [what, setting, message] of [
    [
      'has no system to boot',
      nodeWith({}),
      `Image None is missing the following properties: kernel, ramdisk (node ${NODE_UUID}). ${NEXT}`,
    ],
    [
      'has a kernel without a ramdisk',
      nodeWith({ kernel: KERNEL, image_source: 'http://files.example/a.raw' }),
      `Image http://files.example/a.raw is missing the following properties: ramdisk (node ${NODE_UUID}). ${NEXT}`,
    ],
    [
      'has an ISO and an image',
      nodeWith({ boot_iso: ISO, image_source: 'http://files.example/a.raw' }),
      "An 'image_source' and 'boot_iso' parameter may not be specified at the same time.",
    ],
    [
      'has an ISO and a kernel',
      nodeWith({ boot_iso: ISO, kernel: KERNEL }),
      `Node ${NODE_UUID} has instance_info/boot_iso and instance_info/kernel: it can boot one system only. ${NEXT}`,
    ],
    [
      'has a list for a kernel',
      nodeWith({ ...SYSTEM, kernel: [KERNEL] }),
      `instance_info/kernel of node ${NODE_UUID} is a list: expected a text.`,
    ],
    [
      'has a number for kernel parameters',
      nodeWith(SYSTEM, { kernel_append_params: 7 }),
      `driver_info/kernel_append_params of node ${NODE_UUID} is a value of type number: expected a text.`,
    ],
    [
      'has kernel parameters for an ISO',
      nodeWith({ boot_iso: ISO, ramdisk_kernel_arguments: 'quiet' }),
      `instance_info/ramdisk_kernel_arguments of node ${NODE_UUID} has no effect on what instance_info/boot_iso boots: an ISO has a command line of its own. Remove it, or boot a kernel and a ramdisk.`,
    ],
  ] as const) {
    it(`is refused when it ${what}`, async () => {
      await assert.rejects(plugin.validate(paperFor(setting).given), { message })
    })
  }
})
