/** The deploy interface anaconda: conformance, and what it does with a node that a task on paper stands for. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { DeployPlugin, Json, SignOfLife, Step } from '../../appliance/plugin-api/index.ts'
import { testDeployPlugin } from '../../appliance/plugin-testing/deploy-plugin.ts'
import { BARE_KIT } from '../../appliance/plugin-testing/kit-on-paper.ts'
import {
  CALLBACK_TOKEN,
  type Call,
  createTaskOnPaper,
  fileOnPaper,
  NODE_UUID,
  type TaskSetting,
} from '../../appliance/plugin-testing/task-on-paper.ts'
import plugin from '../../plugins/anaconda/index.ts'
import type { AnacondaOptions } from '../../plugins/anaconda/options.ts'

const HTTP = 'http://images.example'
const INSTALLER = { kernel: `${HTTP}/vmlinuz`, ramdisk: `${HTTP}/initrd.img`, stage2: `${HTTP}/install.img` }
const LIVEIMG = { image_source: `${HTTP}/root.tar.gz`, ...INSTALLER }
const CONTAINER = { image_source: 'oci://quay.example/org/app:v1', ...INSTALLER }

const nodeWith = (instance_info: Json, more: TaskSetting = {}): TaskSetting => ({
  options: plugin.options,
  fileFormat: 'gzip',
  ...more,
  node: { ...more.node, instance_info },
})
const TOO_LITTLE = `Node ${NODE_UUID} failed to validate deploy image info. Some parameters were missing. Missing are: ['instance_info.image_source']`

for (const [what, setting] of Object.entries({
  'a tarball': nodeWith(LIVEIMG, { configDrive: 'H4sI', values: { insecure_heartbeat: true } }),
  'a repository': nodeWith({ ...LIVEIMG, image_source: `${HTTP}/os/` }),
  'a container': nodeWith({ ...CONTAINER, image_pull_secret: 'YWxpY2U6d29uZGVyLWxhbmQ=' }),
})) {
  describe(`with ${what}`, () => {
    testDeployPlugin(() => ({
      folder: join(import.meta.dirname, '../../plugins/anaconda'),
      name: 'anaconda',
      setting,
      refused: {
        'a node without image': nodeWith({}),
        'a node without installer': nodeWith({ image_source: LIVEIMG.image_source }),
        'an appliance without registry': nodeWith(CONTAINER, { container: null }),
      },
    }))
  })
}

type Paper = { task: Parameters<typeof plugin.validate>[0]; calls: readonly Call[] }
const paperOf = (setting: TaskSetting) => createTaskOnPaper(setting) as unknown as Paper
const stepOf = (name: string): Step<AnacondaOptions> => {
  const { deploySteps } = plugin as unknown as DeployPlugin<AnacondaOptions>
  const steps = deploySteps(BARE_KIT as unknown as Parameters<typeof deploySteps>[0])
  const found = steps.find(({ step }) => step === name)
  assert.ok(found)
  return found
}
const named = (calls: readonly Call[], name: string) => calls.filter((call) => call.name === name)

async function deployed(setting: TaskSetting) {
  const { task, calls } = paperOf(setting)
  const result = await stepOf('deploy').run(task, {})
  const [published] = named(calls, 'boot.publish')
  const [booted] = named(calls, 'boot.instance')
  return { result, calls, kickstart: String(published?.args[1]), boot: booted?.args[0] as Json }
}
async function resumed(sign: SignOfLife) {
  const { task, calls } = paperOf(nodeWith(LIVEIMG))
  return { result: await stepOf('deploy').resume?.(task, sign), calls }
}

describe('deploy interface anaconda', () => {
  it('fetches and looks at everything before it touches the machine, and starts the installer', async () => {
    const { result, calls, boot } = await deployed(nodeWith(LIVEIMG))

    assert.deepEqual(result, { wait: 'callback', note: 'waiting for the installer' })
    assert.deepEqual(
      calls.map(({ name }) => name).filter((name) => name !== 'log'),
      [
        ...['configDrive.encoded', 'render', 'exec', 'images.file', 'images.file', 'images.file', 'images.file'],
        ...['power.off', 'configDrive.files', 'callback.token', 'render', 'boot.publish', 'boot.instance'],
        ...['power.bootFrom', 'power.on'],
      ],
    )
    const { url } = fileOnPaper(INSTALLER.stage2)
    assert.deepEqual(boot, {
      kernel: fileOnPaper(INSTALLER.kernel, { format: 'gzip' }),
      ramdisks: [fileOnPaper(INSTALLER.ramdisk, { format: 'gzip' })],
      parameters: `text nofb vga=normal inst.ks=http://172.22.0.1:8080/nodes/${NODE_UUID}/${'k'.repeat(32)}/ks.cfg inst.stage2=${url}/`,
    })
  })

  it('sends an installer of a repository to its .treeinfo, and leaves the repository the upstream its own', async () => {
    const { stage2: _stage2, ...installer } = INSTALLER
    const { kickstart, boot, calls } = await deployed(nodeWith({ ...installer, image_source: `${HTTP}/os/` }))

    assert.match(String(boot.parameters), /ks\.cfg inst\.repo=http:\/\/images\.example\/os\/$/)
    assert.match(kickstart, /^url --url=http:\/\/images\.example\/os\/$/m)
    assert.deepEqual(
      named(calls, 'images.file').map(({ args }) => args[0]),
      [INSTALLER.kernel, INSTALLER.ramdisk],
    )
  })

  it('adds the kernel parameters of the node, which may quote the configured ones', async () => {
    const { boot } = await deployed(nodeWith({ ...LIVEIMG, kernel_append_params: 'console=ttyS0 %default%' }))

    assert.match(String(boot.parameters), /^text console=ttyS0 nofb vga=normal inst\.ks=/)
  })

  it('writes the config drive where cloud-init looks for it, each content once', async () => {
    const file = (path: string, content: string) => ({ path, content: Buffer.from(content) })
    const configDriveFiles = [
      file('openstack/2012-08-10/meta_data.json', '{"uuid": "u1"}'),
      file('openstack/latest/meta_data.json', '{"uuid": "u1"}'),
      file('openstack/latest/user_data', "'; reboot #"),
    ]

    const { kickstart } = await deployed(nodeWith(LIVEIMG, { configDrive: 'H4sI', configDriveFiles }))

    const seed = '/var/lib/cloud/seed/config_drive/openstack'
    const [, drive] = /(%post --erroronfail\n[\s\S]*?%end\n)/.exec(kickstart) ?? []
    assert.equal(
      drive,
      [
        ...['%post --erroronfail', 'set -e', 'umask 077'],
        `mkdir -p '${seed}/2012-08-10'`,
        `base64 -d > '${seed}/2012-08-10/meta_data.json' << 'END-OF-FILE'`,
        ...['eyJ1dWlkIjogInUxIn0=', 'END-OF-FILE'],
        `chmod 600 '${seed}/2012-08-10/meta_data.json'`,
        `mkdir -p '${seed}/latest'`,
        `cp '${seed}/2012-08-10/meta_data.json' '${seed}/latest/meta_data.json'`,
        `chmod 600 '${seed}/latest/meta_data.json'`,
        `mkdir -p '${seed}/latest'`,
        `base64 -d > '${seed}/latest/user_data' << 'END-OF-FILE'`,
        ...['JzsgcmVib290ICM=', 'END-OF-FILE'],
        `chmod 600 '${seed}/latest/user_data'`,
        '%end\n',
      ].join('\n'),
    )
  })

  it('has a container pulled from the mirror alone, and upgrades come through it', async () => {
    const { kickstart, calls } = await deployed(nodeWith(CONTAINER))

    assert.equal(named(calls, 'registry.hold').length, 1)
    assert.match(kickstart, /^ostreecontainer --url=quay\.example\/org\/app:v1 --transport=registry /m)
    const texts = [...kickstart.matchAll(/<< 'END-OF-FILE'\n([\s\S]*?)\nEND-OF-FILE/g)].map(([, text]) =>
      Buffer.from(text ?? '', 'base64').toString(),
    )
    assert.equal(
      texts[0],
      '[[registry]]\nprefix = "quay.example/org/app"\nlocation = "172.22.0.1:5000/quay.example/org/app"\ninsecure = false\n',
    )
    assert.match(kickstart, /\/etc\/containers\/certs\.d\/172\.22\.0\.1:5000\/ca\.crt/)
  })

  it('takes the hints of a root device that an installer understands, and refuses others', async () => {
    const hinted = (root_device: unknown) => nodeWith(LIVEIMG, { node: { properties: { root_device } } })

    const { kickstart } = await deployed(hinted({ name: '/dev/vda' }))

    assert.match(kickstart, /^ignoredisk --only-use=vda$/m)
    await assert.rejects(deployed(hinted({ size: 20 })), {
      message: `The root device hints of node ${NODE_UUID} are {"size":20}: an installer understands one of name, by_path, wwn, serial, as a plain text. Give one of these, or none: all disks are cleared then.`,
    })
  })

  it('goes on waiting at start, and sends the machine to its disk at end, before anything else', async () => {
    const [start, end] = await Promise.all([
      resumed({ from: 'callback', status: 'start' }),
      resumed({ from: 'callback', status: 'end' }),
    ])

    assert.deepEqual(start, { result: { wait: 'callback', note: 'the installer works' }, calls: [] })
    assert.deepEqual(end.result, { done: true })
    assert.deepEqual(
      end.calls.map(({ name }) => name),
      ['boot.disk'],
    )
    const { task, calls } = paperOf(nodeWith(LIVEIMG))
    assert.deepEqual(await stepOf('boot_instance').run(task, {}), { done: true })
    assert.deepEqual(
      calls.map(({ name, args }) => [name, ...args]),
      [['boot.disk'], ['power.off'], ['power.bootFrom', 'disk'], ['power.on']],
    )
  })

  it('fails with the words of the installer', async () => {
    await assert.rejects(resumed({ from: 'callback', status: 'error', message: 'no disk' }), {
      message: 'The installer reported an error: no disk',
    })
  })

  const WRONG: readonly (readonly [what: string, setting: TaskSetting, message: string | RegExp])[] = [
    ['no image_source', nodeWith(INSTALLER), TOO_LITTLE],
    [
      'an image_source that is no address',
      nodeWith({ ...LIVEIMG, image_source: 'fedora' }),
      `instance_info/image_source of node ${NODE_UUID} is "fedora": expected the http(s) or file address of a tarball or squashfs, the address of a repository of packages that ends in "/", or oci://HOST/PATH:TAG.`,
    ],
    [
      'no stage2',
      nodeWith({ ...LIVEIMG, stage2: null }),
      `Image ${LIVEIMG.image_source} is missing the following properties: stage2. Set instance_info/stage2 of node ${NODE_UUID} to the installer's own: images/pxeboot/vmlinuz, images/pxeboot/initrd.img and images/install.img of its distribution.`,
    ],
    [
      'a disk image',
      nodeWith(LIVEIMG, { fileFormat: 'qcow2' }),
      `instance_info/image_source of node ${NODE_UUID} is of format qcow2 by its content: expected a tarball (plain, or packed by gzip, xz or bzip2), a squashfs or a file system. For disk images: the deploy interface direct.`,
    ],
    [
      'a template without what an installer needs',
      nodeWith({ ...LIVEIMG, ks_template: `${HTTP}/ks.tmpl` }, { text: 'url --url={{ ks_options.liveimg_url }}' }),
      `Following required kickstart option variables are missing from the kickstart template: agent_token, heartbeat_url (instance_info/ks_template, node ${NODE_UUID}). Use each as {{ ks_options.agent_token }}.`,
    ],
    [
      'a template that loses the config drive',
      nodeWith(
        { ...LIVEIMG, ks_template: `${HTTP}/ks.tmpl` },
        {
          text: '{{ ks_options.liveimg_url }} {{ ks_options.agent_token }} {{ ks_options.heartbeat_url }}',
          configDrive: 'H4sI',
        },
      ),
      /missing from the kickstart template: config_drive \(/,
    ],
  ]
  for (const [what, setting, message] of WRONG) {
    it(`refuses ${what}, while the machine runs as before`, async () => {
      const { task, calls } = paperOf(setting)

      await assert.rejects(stepOf('deploy').run(task, {}), { message })

      assert.deepEqual(
        calls.filter(({ name }) => name.startsWith('power') || name.startsWith('boot')),
        [],
      )
    })
  }

  describe('[anaconda] default_ks_template', () => {
    const PATH = '/etc/rackstrap/ks.tmpl'
    /** A box with that file, or without it. */
    async function kickstartWith(head: () => Promise<{ stdout: string }>): Promise<string> {
      const { task, calls } = paperOf(nodeWith(LIVEIMG, { values: { default_ks_template: PATH } }))
      const exec: typeof task.exec = (file, args, o) => (file === 'head' ? head() : task.exec(file, args, o))
      const box = new Proxy(task, { get: (target, key) => (key === 'exec' ? exec : Reflect.get(target, key)) })
      await stepOf('deploy').run(box, {})
      return String(named(calls, 'boot.publish')[0]?.args[1])
    }

    it('is the template of nodes that bring none', async () => {
      const stdout =
        'text\nliveimg {{ ks_options.liveimg_url }} {{ ks_options.agent_token }} {{ ks_options.heartbeat_url }}'

      const kickstart = await kickstartWith(async () => ({ stdout }))

      assert.match(kickstart, /^text\nliveimg http:\S+ callback-token http:\S+$/)
    })

    it('that cannot be read fails the deploy in one sentence', async () => {
      const missing = kickstartWith(() => Promise.reject(new Error(`head failed: cannot open '${PATH}'`)))

      await assert.rejects(missing, {
        message: `[anaconda] default_ks_template cannot be read: head failed: cannot open '${PATH}'. Correct it, or give node ${NODE_UUID} an instance_info/ks_template.`,
      })
    })
  })

  it('keeps the token to the kickstart', async () => {
    const { calls, kickstart } = await deployed(nodeWith(LIVEIMG))

    assert.ok(kickstart.includes(CALLBACK_TOKEN))
    const others = calls.filter(({ name }) => name !== 'boot.publish' && name !== 'render')
    assert.ok(!JSON.stringify(others).includes(CALLBACK_TOKEN))
  })
})
