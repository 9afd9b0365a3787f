/** The deploy interface ansible: conformance, and what it gives to playbooks. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Json, Task } from '../../appliance/plugin-api/index.ts'
import { testDeployPlugin } from '../../appliance/plugin-testing/deploy-plugin.ts'
import { createKitOnPaper, inOrder } from '../../appliance/plugin-testing/kit-on-paper.ts'
import {
  createTaskOnPaper,
  IMAGE,
  IMAGE_FIELDS,
  NODE_UUID,
  type TaskSetting,
} from '../../appliance/plugin-testing/task-on-paper.ts'
import { parseCleanSteps } from '../../plugins/ansible/clean-steps.ts'
import { pinFor } from '../../plugins/ansible/host-key.ts'
import plugin from '../../plugins/ansible/index.ts'
import type { AnsibleTask } from '../../plugins/ansible/node-fields.ts'
import { deployVariables } from '../../plugins/ansible/variables.ts'

const KEY = `ssh-ed25519 ${'A'.repeat(68)}`
const OTHER = `ssh-rsa ${'B'.repeat(372)}`
const FACTS = { ssh: { ssh_host_keys: [KEY] } }
const nodeWith = (instance_info: Json, more: TaskSetting['node'] = {}, set: TaskSetting = {}): TaskSetting => ({
  facts: FACTS,
  ...set,
  node: { ...more, instance_info: { ...IMAGE_FIELDS, ...instance_info } },
})
const taskFor = (setting: TaskSetting): AnsibleTask =>
  createTaskOnPaper({ options: plugin.options, ...setting }).task as Task as unknown as AnsibleTask
const variablesFor = (setting: TaskSetting): Json =>
  deployVariables(taskFor(setting), { ...IMAGE, ...setting.image }, undefined)

testDeployPlugin(() => ({
  folder: join(import.meta.dirname, '../../plugins/ansible'),
  name: 'ansible',
  setting: nodeWith({}),
  refused: {
    'a node without image': { node: {} },
    'a box without ansible': nodeWith({}, {}, { missing: ['ansible-playbook'] }),
    "root device hints with operators, for somebody's playbooks": nodeWith(
      { root_device: { size: '>= 100' } },
      { driver_info: { ansible_playbooks_path: '/etc/ironic/playbooks' } },
    ),
    'an account that is none': nodeWith({}, { driver_info: { ansible_username: 'root -oProxyCommand=id' } }),
    'a host key that is none': nodeWith({}, { driver_info: { ansible_host_key: 'AAAA' } }),
    'a relative folder of playbooks': nodeWith({}, { driver_info: { ansible_playbooks_path: '../evil' } }),
    'a partition image without root_gb': nodeWith({ image_type: 'partition' }),
  },
}))

describe('deploy interface ansible', () => {
  it("has Ironic's steps at Ironic's places", () => {
    const steps = plugin.deploySteps(createKitOnPaper().kit as unknown as Parameters<typeof plugin.deploySteps>[0])

    assert.deepEqual(inOrder(steps), [
      '100 deploy',
      '80 write_image',
      '60 prepare_instance_boot',
      '40 tear_down_agent',
      '30 switch_to_tenant_network',
      '20 boot_instance',
    ])
  })

  it('says what to install when ansible is not on the box', async () => {
    await assert.rejects(plugin.validate(taskFor(nodeWith({}, {}, { missing: ['ansible-playbook'] }))), {
      message:
        'The deploy interface ansible needs ansible-playbook, not found on this box: apt-get install ansible-core openssh-client, ' +
        'or correct [ansible] ansible_playbook_script.',
    })
  })
})

describe('the variable ironic', () => {
  it("has Ironic's shape for a whole-disk image", () => {
    const given = variablesFor(
      nodeWith(
        {
          image_source: 'http://images/a.qcow2',
          image_pull_secret: 'hush',
          root_device: { size: 10, model: 'Fast Disk' },
        },
        { extra: { rack: 'r7' }, target_raid_config: { logical_disks: [] } },
      ),
    )

    assert.deepEqual(given.nodes, [{ name: NODE_UUID, ip: '172.22.0.77', user: 'ansible', extra: { rack: 'r7' } }])
    assert.deepEqual(given.raid_config, { logical_disks: [] })
    assert.deepEqual(given.root_device_hints, { size: 10, model: 'fast disk' })
    const { url, disk_format, checksum, source, validate_certs, mem_req, ...image } = given.image as Json
    const { algorithm, value } = IMAGE.checksum ?? {}
    assert.deepEqual(
      { url, disk_format, checksum, source, validate_certs, mem_req },
      {
        url: IMAGE.url,
        disk_format: IMAGE.format,
        checksum: `${algorithm}:${value}`,
        source: 'http://images/a.qcow2',
        validate_certs: 'yes',
        mem_req: Math.floor((IMAGE.size_bytes ?? 0) / 1024 ** 2) + 10,
      },
    )
    assert.ok(!('pull_secret' in image))
    assert.ok(!('partition_info' in given) && !('configdrive' in given))
  })

  it('hands operators of root device hints to our own playbooks, which ask the agent', () => {
    const given = variablesFor(nodeWith({ root_device: { size: '>= 100', serial: 's== A1' } }))

    assert.deepEqual(given.root_device_hints, { size: '>= 100', serial: 'a1' })
  })

  it('divides the disk as Ironic does: GPT with bios_grub first, the root last', () => {
    const given = deployVariables(
      taskFor(
        nodeWith(
          { image_type: 'partition', root_gb: 4, swap_mb: 64, ephemeral_gb: 1, preserve_ephemeral: 'True' },
          { properties: { capabilities: 'boot_mode:uefi,disk_label:gpt' } },
        ),
      ),
      IMAGE,
      { type: 'url', location: 'http://c/d' },
    )

    assert.deepEqual(given.configdrive, { type: 'url', location: 'http://c/d' })
    assert.equal((given.image as Json).type, 'partition')
    assert.deepEqual(given.partition_info, {
      label: 'gpt',
      ephemeral_format: 'ext4',
      preserve_ephemeral: 'yes',
      partitions: {
        bios: { number: 1, part_start: '1MiB', part_end: '2MiB', name: 'bios', flags: ['bios_grub'] },
        ephemeral: { number: 2, part_start: '2MiB', part_end: '1026MiB', name: 'ephemeral' },
        swap: { number: 3, part_start: '1026MiB', part_end: '1090MiB', name: 'swap' },
        configdrive: { number: 4, part_start: '1090MiB', part_end: '1154MiB', name: 'configdrive' },
        root: { number: 5, part_start: '1154MiB', part_end: '5250MiB', name: 'root' },
      },
    })
  })

  it('divides it with an MBR otherwise, the root to be booted', () => {
    const given = variablesFor(nodeWith({ kernel: 'file:///k', root_gb: '2' }))

    assert.deepEqual(given.partition_info, {
      label: 'msdos',
      partitions: { root: { number: 1, part_start: '1MiB', part_end: '2049MiB', flags: ['boot'] } },
    })
  })
})

describe('the pinned host key', () => {
  const pin = (setting: TaskSetting) => pinFor(taskFor(setting))

  it("is the operator's, else what came with the heartbeats", () => {
    assert.deepEqual(pin({ facts: FACTS }), { keys: [KEY] })
    assert.deepEqual(pin({ facts: FACTS, node: { driver_info: { ansible_host_key: `${OTHER} me@box\n` } } }), {
      keys: [OTHER],
    })
  })

  it('is nothing that a machine makes up', () => {
    for (const told of [[], ['x'], [`${KEY}\n* ${KEY}`], [{}], 'text', undefined]) {
      assert.throws(() => pin({ facts: { ssh: { ssh_host_keys: told } } }), { message: /has told no SSH host key/ })
    }
  })

  it('that is not known refuses the deploy with what to do, and why sshd is not there', () => {
    assert.throws(() => pin({}), {
      message:
        `The ramdisk of node ${NODE_UUID} has told no SSH host key (it is no ramdisk of this appliance, or one that was built before ` +
        'ansible was enabled). Build it again (rackstrap ramdisk build); for a ramdisk of your own set driver_info/ansible_host_key, or ' +
        'driver_info/ansible_unknown_host_key to accept-new.',
    })
    assert.throws(() => pin({ facts: { ssh: { error: 'no entropy' } } }), {
      message: /\(its SSH server did not start: no entropy\)/,
    })
  })

  it('is the first one that is offered where the operator says so', () => {
    assert.deepEqual(pin({ values: { unknown_host_key: 'accept-new' } }), { keys: [] })
  })
})

describe('a file of clean steps', () => {
  const zap = {
    name: 'zap',
    priority: 99,
    interface: 'deploy',
    args: { tags: { required: true, description: 'tags', value: ['zap'] } },
  }

  it('names steps with their arguments, and those of other interfaces are left out', () => {
    assert.deepEqual(parseCleanSteps([zap, { name: 'raid', interface: 'raid' }]), [
      {
        step: 'zap',
        priority: 99,
        argsInfo: { tags: { description: 'tags', required: true } },
        values: { tags: ['zap'] },
      },
    ])
  })

  for (const [what, found, sentence] of [
    ['a table', { zap }, 'Malformed clean_steps file: no list of steps'],
    ['nothing', null, 'Malformed clean_steps file: no list of steps'],
    [
      'a step without name, interface and value',
      [{ priority: 1 }, { ...zap, interface: undefined, args: { tags: { required: true } } }],
      'Malformed clean_steps file: name undefined, field name, name zap, field interface, name zap, field tags.value',
    ],
    ['a priority that is none', [{ ...zap, priority: 'high' }], 'Malformed clean_steps file: name zap, field priority'],
    ['one name twice', [zap, zap], 'Cleaning steps do not have unique names.'],
  ] as const) {
    it(`with ${what} is refused in Ironic's words`, () => {
      assert.equal(parseCleanSteps(found), sentence)
    })
  }
})
