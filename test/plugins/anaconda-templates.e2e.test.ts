/**
 * Kickstarts as pykickstart and Ironic have them: both come from PyPI. Ironic's template is rendered as it is, and ours
 * are read by ksvalidator for each version that knows their commands.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { exec } from '../../appliance/conductor/plugin/exec.ts'
import type { Json } from '../../appliance/plugin-api/index.ts'
import {
  createTaskOnPaper,
  NODE_UUID,
  Refusal,
  type TaskSetting,
} from '../../appliance/plugin-testing/task-on-paper.ts'
import { createRenderer } from '../../appliance/render/render.ts'
import plugin from '../../plugins/anaconda/index.ts'
import { type KickstartTools, kickstartTools } from '../rack/kickstart-tools.ts'

const DEADLINE_MS = 600_000
const HTTP = 'http://images.example'
const INSTALLER = { kernel: `${HTTP}/vmlinuz`, ramdisk: `${HTTP}/initrd.img`, stage2: `${HTTP}/install.img` }
const LIVEIMG = { image_source: `${HTTP}/root.tar.gz`, ...INSTALLER }
const CONTAINER = { image_source: 'oci://quay.example/org/app:v1', ...INSTALLER }
const DRIVE = {
  configDrive: 'H4sI',
  configDriveFiles: [{ path: 'openstack/latest/meta_data.json', content: Buffer.from('{"uuid": "u1"}') }],
}

describe('kickstarts of the deploy interface anaconda', { timeout: DEADLINE_MS }, () => {
  const signal = AbortSignal.timeout(DEADLINE_MS)
  const renderer = createRenderer()
  let tools: KickstartTools
  let folder: string
  let count = 0

  before(async () => {
    tools = await kickstartTools(signal)
    folder = await mkdtemp(join(tmpdir(), 'kickstarts-'))
  })
  after(() => rm(folder, { recursive: true }))

  /** The real renderer, and the real programs of a box that has ksvalidator. */
  async function kickstartOf(instance_info: Json, more: TaskSetting = {}, hasValidator = false): Promise<string> {
    const setting = {
      options: plugin.options,
      fileFormat: 'gzip',
      folder,
      ...more,
      node: { ...more.node, instance_info },
    }
    const { task, calls } = createTaskOnPaper(setting)
    const real: Partial<typeof task> = {
      render: (template, variables, { name }) =>
        renderer.render({ template, variables, name, signal }).catch(({ message }) => {
          throw new Refusal(message)
        }),
      ...(hasValidator && {
        exec: (file, args, o = {}) =>
          exec('env', [`PATH=${tools.folder}:${process.env.PATH}`, file, ...args], o, { signal, node_uuid: NODE_UUID }),
      }),
    }
    const own = new Proxy(task, { get: (target, key) => Reflect.get(Object.hasOwn(real, key) ? real : target, key) })
    const steps = plugin.deploySteps() as unknown as {
      step: string
      run(task: unknown, args: Json): Promise<unknown>
    }[]
    await steps.find(({ step }) => step === 'deploy')?.run(own, {})
    return String(calls.find(({ name }) => name === 'boot.publish')?.args[1])
  }
  async function said(kickstart: string, version: string): Promise<string> {
    const file = join(folder, `${++count}-${version}.cfg`)
    await writeFile(file, kickstart)
    return tools.validate(file, version)
  }

  it('are rendered of the template of Ironic, unchanged', async () => {
    const given = { text: tools.template, ...DRIVE }
    const liveimg = await kickstartOf({ ...LIVEIMG, ks_template: `${HTTP}/ks.cfg.template` }, given)
    const path = await kickstartOf(
      { ...INSTALLER, image_source: `${HTTP}/os/`, ks_template: `${HTTP}/ks.cfg.template` },
      { ...given, values: { insecure_heartbeat: true } },
    )

    const lines = liveimg.split('\n')
    assert.match(lines.find((line) => line.startsWith('liveimg')) ?? '', /^liveimg --url http:\/\/\S+\/image\.tar\.gz$/)
    assert.deepEqual(
      lines.filter((line) => line.startsWith('/usr/bin/curl')),
      [
        ['start', 'Deployment starting. Running pre-installation scripts.'],
        ['error', 'Error: Deploying using anaconda. Check console for more information.'],
        ['end', 'Deployment completed successfully.'],
      ].map(
        ([status, message]) =>
          `/usr/bin/curl  -X POST -H 'Content-Type: application/json' -H 'Accept: application/json' -H 'X-OpenStack-Ironic-API-Version: 1.72' -d '{"callback_url": "", "agent_token": "callback-token", "agent_status": "${status}", "agent_status_message": "${message}"}' http://172.22.0.1:6385/v1/heartbeat/${NODE_UUID}`,
      ),
    )
    assert.match(liveimg, /^base64 -d > '\/var\/lib\/cloud\/seed\/config_drive\/openstack\/latest\/meta_data\.json'/m)
    assert.match(path, /^url --url http:\/\/images\.example\/os\/$/m)
    assert.equal(path.match(/^\/usr\/bin\/curl --insecure -X POST/gm)?.length, 3)
    const all = ['RHEL8', 'RHEL9', 'RHEL10', 'F42'].flatMap((version) => [said(liveimg, version), said(path, version)])
    assert.equal((await Promise.all(all)).join(''), '')
  })

  const OURS: readonly (readonly [what: string, fields: Json, more: TaskSetting, versions: readonly string[]])[] = [
    ['liveimg', LIVEIMG, { ...DRIVE }, ['RHEL8', 'RHEL9', 'RHEL10', 'F40', 'F43']],
    ['url', { ...LIVEIMG, image_source: `${HTTP}/os/` }, DRIVE, ['RHEL8', 'RHEL9', 'RHEL10', 'F40', 'F43']],
    ['one disk', { ...LIVEIMG, root_device: { serial: 'S1' } }, {}, ['RHEL8', 'RHEL9', 'RHEL10', 'F43']],
    ['ostreecontainer', CONTAINER, DRIVE, ['RHEL9', 'RHEL10', 'F40', 'F43']],
    ['bootc', CONTAINER, { ...DRIVE, values: { container_command: 'bootc' } }, ['F43']],
  ]
  for (const [what, fields, more, versions] of OURS) {
    it(`of our own template for ${what} are right for ${versions.join(', ')}`, async () => {
      const kickstart = await kickstartOf(fields, more)

      assert.deepEqual(
        await Promise.all(versions.map((version) => said(kickstart, version))),
        versions.map(() => ''),
      )
    })
  }

  it('are looked at by ksvalidator where the box has it, which opens no file for a template', async () => {
    const needed = '{{ ks_options.liveimg_url }} {{ ks_options.agent_token }} {{ ks_options.heartbeat_url }}'
    const fields = { ...LIVEIMG, ks_template: `${HTTP}/ks.cfg` }
    const with_ = (text: string) => kickstartOf(fields, { text: `${text}\n# ${needed}\n` }, true)

    assert.match(await with_('lang en_US'), /^lang en_US$/m)
    await assert.rejects(with_('lang en_US\nrootpww secret'), {
      message:
        'The kickstart file generated does not pass validation. The ksvalidator tool returned the following error: ' +
        'The following problem occurred on line 2 of the kickstart file: Unknown command: rootpww',
    })
    assert.match(await with_('%ksappend /etc/passwd'), /^%ksappend \/etc\/passwd$/m)
  })
})
