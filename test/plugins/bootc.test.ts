/** The deploy interface bootc: conformance, and what the appliance and the agent are told in each way of it. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { testDeployPlugin } from '../../appliance/plugin-testing/deploy-plugin.ts'
import { BARE_KIT, createKitOnPaper, inOrder } from '../../appliance/plugin-testing/kit-on-paper.ts'
import { ACCESS, CONTAINER, IMAGE, NODE_UUID, type TaskSetting } from '../../appliance/plugin-testing/task-on-paper.ts'
import plugin from '../../plugins/bootc/index.ts'
import { named, nodeWith, OURS, paperFor, ran, SECRET, SOURCE, told } from './bootc-rig.ts'

const TICKET = { username: 'ticket', password: 'for-one-deploy' }
const MACHINE: TaskSetting = { agentSteps: OURS, values: { install: 'machine' } }
const APPLIANCE: TaskSetting = { agentSteps: OURS, values: { install: 'appliance' } }
const STOCK: TaskSetting = { values: { install: 'machine' } }
const PATH = '/cache/made/image'
const CONFIG_DRIVE = 'H4sIAAAA'

for (const [agent, setting] of Object.entries({
  'a stock agent': STOCK,
  'our agent': MACHINE,
  'an install by the appliance': APPLIANCE,
})) {
  describe(`with ${agent}`, () => {
    testDeployPlugin(() => ({
      folder: join(import.meta.dirname, '../../plugins/bootc'),
      name: 'bootc',
      setting: { ...nodeWith({ image_pull_secret: SECRET }), ...setting },
      refused: {
        'a node without image': { ...setting, node: {} },
        'a disk image': { ...setting, ...nodeWith({ image_source: 'http://images.example/debian.raw' }) },
        'an image without label': { ...setting, ...nodeWith(), container: { labels: {} } },
        'an appliance without registry': { ...setting, ...nodeWith(), container: null },
      },
    }))
  })
}

describe('deploy interface bootc', () => {
  it('has the steps of the agent, and its own by the name that Ironic gives it', () => {
    const { kit } = createKitOnPaper()

    const all = plugin.deploySteps(kit as unknown as Parameters<typeof plugin.deploySteps>[0])

    assert.deepEqual(inOrder(all), [
      '100 deploy',
      '80 execute_bootc_install',
      '75 bootc_finish',
      '60 prepare_instance_boot',
      '40 tear_down_agent',
      '30 switch_to_tenant_network',
      '20 boot_instance',
    ])
  })

  it('settles what the tag means and holds it, before the machine is touched', async () => {
    const { calls, kept, result } = await ran('deploy', { ...nodeWith({ image_pull_secret: SECRET }), ...MACHINE })

    assert.deepEqual(
      calls.map(({ name }) => name),
      ['registry.inspect', 'keep', 'registry.hold', 'registry.access', 'boot.files', 'boot.agent'],
    )
    assert.deepEqual(named(calls, 'registry.inspect'), [
      'quay.example/org/app:v1',
      { architecture: 'amd64', secret: SECRET },
    ])
    assert.deepEqual(named(calls, 'registry.hold'), [
      CONTAINER,
      { secret: SECRET, bound_in: '/usr/lib/bootc/bound-images.d' },
    ])
    assert.deepEqual(kept, { settled: { image: { ...CONTAINER, labels: {} }, way: 'machine' } })
    assert.deepEqual(result, { wait: 'agent-boot', note: 'waiting for the agent' })
  })

  it('keeps to the digest of the beginning, also when its tag is moved meanwhile', async () => {
    const { kept } = await ran('deploy', { ...nodeWith(), ...MACHINE })

    const moved = { digest: `sha256:${'e1'.repeat(32)}` }
    const { args } = await told('execute_bootc_install', { ...nodeWith(), ...MACHINE, kept, container: moved })

    assert.equal(args.digest, CONTAINER.digest)
  })

  it('asks for the architecture of the machine', async () => {
    const { calls } = await ran('deploy', nodeWith({}, { properties: { cpu_arch: 'aarch64' } }))

    assert.deepEqual(named(calls, 'registry.inspect'), ['quay.example/org/app:v1', { architecture: 'arm64' }])
  })
})

describe('ramdisk layers of bootc', () => {
  it('are without podman for a machine that is only written to', async () => {
    const layersAfter = async (setting: TaskSetting) => {
      const { kept } = await ran('deploy', { ...nodeWith(), ...setting })
      const { node, options } = paperFor({ ...nodeWith(), ...setting }).bootc
      return plugin.ramdiskLayers({ node, options, kept, procedure: 'deploy' })
    }

    assert.deepEqual(await layersAfter(MACHINE), ['disk-tools', 'podman'])
    assert.deepEqual(await layersAfter(APPLIANCE), ['disk-tools'])
  })
})

describe('bootc with our agent, installed on the machine', () => {
  it('has it pull the digest from the mirror and follow the name that the upstream has', async () => {
    const { step, args } = await told('execute_bootc_install', {
      ...nodeWith(),
      ...MACHINE,
      values: { install: 'machine', day2: false, install_timeout: 900 },
      access: { guarded: true, ticket: TICKET },
      configDrive: CONFIG_DRIVE,
    })

    assert.equal(step, 'bootc_install')
    assert.deepEqual(args, {
      reference: CONTAINER.reference,
      digest: CONTAINER.digest,
      mirror: { ...ACCESS, guarded: true, ticket: TICKET },
      size_bytes: CONTAINER.size_bytes,
      layers: CONTAINER.layers,
      tpm2_luks: false,
      timeout_s: 900,
      scratch: 'target',
    })
  })

  it("brings keys, secret and config drive when the tenant's container has ended", async () => {
    const { step, args } = await told('bootc_finish', {
      ...nodeWith(),
      ...MACHINE,
      values: { install: 'machine', day2: false },
      configDrive: CONFIG_DRIVE,
    })

    assert.equal(step, 'bootc_finish')
    assert.deepEqual(args, { files: [], configdrive: CONFIG_DRIVE, new_ids: false, grow: true })
  })

  it('encrypts the disk when the node asks for that, and fills it while it is open', async () => {
    const setting = { ...nodeWith({ bootc_tpm2_luks: 'True' }), ...MACHINE, configDrive: CONFIG_DRIVE }

    const { args } = await told('execute_bootc_install', setting)
    const { result } = await ran('bootc_finish', setting)

    assert.equal(args.tpm2_luks, true)
    assert.equal((args.finish as { configdrive: string }).configdrive, CONFIG_DRIVE)
    assert.deepEqual(result, { done: true })
  })
})

describe('bootc with a stock agent', () => {
  it("has its own step install, by Ironic's arguments", async () => {
    const { step, args } = await told('execute_bootc_install', {
      ...nodeWith({ image_pull_secret: SECRET }),
      ...STOCK,
      configDrive: CONFIG_DRIVE,
    })

    assert.equal(step, 'execute_bootc_install')
    assert.deepEqual(args, { image_source: SOURCE, configdrive: CONFIG_DRIVE, oci_pull_secret: null })
  })

  it('lays over its ramdisk what podman needs to pull from the mirror and from nowhere else', async () => {
    const { calls } = await ran('deploy', { ...nodeWith(), ...STOCK, access: { guarded: true, ticket: TICKET } })

    assert.deepEqual(named(calls, 'boot.files'), [
      [
        {
          path: '/etc/containers/registries.conf.d/50-rackstrap.conf',
          content: `[[registry]]
prefix = "quay.example/org/app"
location = "172.22.0.1:5000/quay.example/org/app"
insecure = false
`,
          mode: 0o644,
        },
        { path: '/etc/containers/certs.d/172.22.0.1:5000/ca.crt', content: ACCESS.ca, mode: 0o644 },
        {
          path: '/root/.config/containers/auth.json',
          content: `{
  "auths": {
    "172.22.0.1:5000/quay.example/org/app": {
      "auth": "${Buffer.from('ticket:for-one-deploy').toString('base64')}"
    }
  }
}
`,
          mode: 0o600,
        },
      ],
    ])
  })

  for (const [what, value, message] of [
    [
      'bootc_tpm2_luks',
      'no',
      'is the text "no", which a stock ironic-python-agent takes for true. Set it to false without quotes, or unset it.',
    ],
    [
      'bootc_authorized_keys',
      ['ssh-ed25519 AAAA alice'],
      'is a list, which a stock ironic-python-agent does not take. Set it to a text, one key a line.',
    ],
  ] as const) {
    it(`is not sent a ${what} that it would misread`, async () => {
      const run = ran('execute_bootc_install', { ...nodeWith({ [what]: value }), ...STOCK })

      await assert.rejects(run, { message: `instance_info/${what} of node ${NODE_UUID} ${message}` })
    })
  }

  it('has nothing left to do afterwards', async () => {
    const { result } = await ran('bootc_finish', { ...nodeWith(), ...STOCK })

    assert.deepEqual(result, { done: true })
  })

  it('cannot be given a copy of an install', async () => {
    const run = ran('execute_bootc_install', { ...nodeWith(), values: { install: 'appliance' } })

    await assert.rejects(run, {
      message: `The agent on node ${NODE_UUID} is not that of this appliance's own ramdisk, and cannot make a copy of an install its own. Set bootc_install to "machine".`,
    })
  })
})

describe('bootc installed by the appliance', () => {
  const KEY = `bootc install of quay.example/org/app:v1 ${CONTAINER.digest} amd64, 2560 MiB, layout 1`

  it('runs the install in a guest that reaches the mirror alone, and knows nothing of the machine', async () => {
    const keys = { bootc_authorized_keys: 'ssh-ed25519 AAAA alice', image_pull_secret: SECRET }
    const setting = { ...nodeWith(keys), ...APPLIANCE, buildsAnew: PATH, configDrive: CONFIG_DRIVE }

    const { calls } = await ran('deploy', { ...setting, access: { guarded: true, ticket: TICKET } })

    assert.deepEqual(
      calls.map(({ name }) => name),
      [
        'registry.inspect',
        'guest.has',
        'keep',
        'registry.hold',
        'images.make',
        'registry.access',
        'guest.run',
        'boot.agent',
      ],
    )
    assert.deepEqual(named(calls, 'images.make'), [KEY, { bootable: true }])
    const [run] = named(calls, 'guest.run') as [{ signal: unknown; progress: unknown }]
    const { signal, progress, ...given } = run
    assert.ok(signal instanceof AbortSignal && typeof progress === 'function')
    assert.deepEqual(given, {
      layers: ['disk-tools', 'podman'],
      step: 'bootc_install',
      args: {
        reference: CONTAINER.reference,
        digest: CONTAINER.digest,
        mirror: {
          ...ACCESS,
          guarded: true,
          ticket: TICKET,
        },
        size_bytes: CONTAINER.size_bytes,
        layers: CONTAINER.layers,
        tpm2_luks: false,
        timeout_s: 7200,
        scratch: '/dev/vdb',
      },
      disks: [{ path: PATH, size_bytes: 2560 * 1024 * 1024 }, { size_bytes: 3584 * 1024 * 1024 }],
      memory_mib: 2048,
      timeout_s: 7500,
      mirror: true,
    })
    // Others may wait for it when this node's deploy is over.
    const [, access] = named(calls, 'registry.access') as [unknown, { for: string; until: AbortSignal }]
    assert.equal(access.for, 'guest')
    assert.ok(access.until.aborted)
  })

  it('is written like a disk image, and made its own machine afterwards', async () => {
    const setting = {
      ...nodeWith(),
      ...APPLIANCE,
      values: { install: 'appliance', day2: false },
      configDrive: CONFIG_DRIVE,
    }

    const [write, finish] = [await told('execute_bootc_install', setting), await told('bootc_finish', setting)]

    assert.deepEqual(write, {
      step: 'write_image',
      args: {
        image_info: {
          id: CONTAINER.reference,
          urls: [IMAGE.url],
          disk_format: 'raw',
          container_format: null,
          stream_raw_images: true,
          os_hash_algo: 'sha256',
          os_hash_value: IMAGE.checksum?.value,
          node_uuid: NODE_UUID,
          size_bytes: IMAGE.size_bytes,
        },
        configdrive: null,
      },
    })
    assert.deepEqual(finish, {
      step: 'bootc_finish',
      args: { files: [], configdrive: CONFIG_DRIVE, new_ids: true, grow: true },
    })
  })

  it('is the same install for every machine, whatever its keys and secret', async () => {
    const one = await ran('deploy', { ...nodeWith(), ...APPLIANCE })
    const other = await ran('deploy', {
      ...nodeWith({ bootc_authorized_keys: 'ssh-rsa AAAA bob', image_pull_secret: SECRET }),
      ...APPLIANCE,
    })

    assert.deepEqual(named(one.calls, 'images.make'), named(other.calls, 'images.make'))
  })
})

describe('[bootc] install = auto', () => {
  const wayOf = async (setting: TaskSetting) => {
    const { kept } = await ran('deploy', { agentSteps: OURS, ...setting })
    return (kept.settled as { way: string }).way
  }

  it('has the appliance install where it has KVM', async () => {
    assert.equal(await wayOf(nodeWith()), 'appliance')
  })

  it('has the machine install where the appliance would emulate a processor, or starts no virtual machines', async () => {
    assert.equal(await wayOf({ ...nodeWith(), guest: 'tcg' }), 'machine')
    assert.equal(await wayOf({ ...nodeWith(), guest: null }), 'machine')
  })

  it("has the machine install where the deploy ramdisk is a stock agent's", async () => {
    assert.equal(await wayOf({ ...nodeWith(), layers: [] }), 'machine')
  })

  it('has the machine install what is to be encrypted by its TPM', async () => {
    assert.equal(await wayOf(nodeWith({ bootc_tpm2_luks: true })), 'machine')
  })

  it('has the machine install when its disk is known to be smaller than the one that the appliance installs to', async () => {
    assert.equal(await wayOf(nodeWith({}, { properties: { local_gb: 2 } })), 'machine')
  })
})

describe('secrets of a bootc deploy', () => {
  it('reach no log, and no step but those that need them', async () => {
    const setting = { ...nodeWith({ image_pull_secret: SECRET }), buildsAnew: PATH }
    for (const way of [MACHINE, APPLIANCE, STOCK]) {
      for (const step of ['deploy', 'execute_bootc_install', 'bootc_finish']) {
        const paper = paperFor({ ...setting, ...way })
        await plugin
          .deploySteps(BARE_KIT as unknown as Parameters<typeof plugin.deploySteps>[0])
          .find((one) => one.step === step)
          ?.run(paper.bootc, {})

        const whileItRuns = paper.calls.filter(
          ({ name }) => name === 'agent.execute' && step === 'execute_bootc_install',
        )
        assert.ok(!JSON.stringify(whileItRuns).includes(SECRET), JSON.stringify(whileItRuns))
        const open = paper.calls.filter(({ name }) =>
          ['log', 'keep', 'progress', 'images.make', 'guest.run'].includes(name),
        )
        assert.ok(!JSON.stringify(open).includes(SECRET), `${step}: ${JSON.stringify(open)}`)
      }
    }
  })
})
