/**
 * What a machine boots as its instance, from the deploy that says so until it is torn down; and texts that it
 * fetches.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Images } from '../../../appliance/images/images.ts'
import type { DeployPlugin, ServedFile, Task } from '../../../appliance/plugin-api/index.ts'
import { newBoot } from '../../../appliance/records/kinds/boot.ts'
import { stateFolder } from '../records/state-folder.ts'
import { DONE, deployed, pluginOf, withStep } from './odd-plugin.ts'
import { imagesOnPaper, MAC, startTrial, type Trial } from './trial.ts'

const FILES = 'http://172.22.0.1:8080/agent_images'

/** Deploys a kernel with two ramdisks. */
function livePlugin(
  more: Partial<DeployPlugin> = {},
  then: (task: Task) => Promise<void> = async () => {},
): DeployPlugin {
  return withStep(
    {
      async run(task) {
        const file = (name: string) =>
          task.images.file(`http://images.example/${name}`, { field: `instance_info/${name}` })
        await task.boot.instance({
          kernel: await file('kernel'),
          ramdisks: [await file('ramdisk'), await file('more')],
          parameters: 'root=/dev/ram0 quiet',
        })
        await then(task)
        return DONE
      },
    },
    more,
  )
}
const bootOf = (trial: Trial) => trial.conductor.machineBootOf(MAC)
const publishedAt = (trial: Trial, url: string) => trial.conductor.publishedText(new URL(url).pathname)

describe('instance that a machine boots from the appliance', () => {
  it('is given to it at each boot once it is active, after a restart too, and no more after the tear down', async (t) => {
    const released: unknown[] = []
    const images = imagesOnPaper({ release: async (_uuid, keep) => void released.push(keep) })
    const state_path = stateFolder(t)
    const { trial, uuid } = await deployed(t, livePlugin(), { state_path, images })
    await trial.untilState(uuid, 'active')
    const first = bootOf(trial)
    await trial.stop()

    const again = await startTrial(t, { plugins: [livePlugin()], state_path, images })
    await again.conductor.recover()
    const afterRestart = bootOf(again)
    const keptFiles = released.at(-1)
    await again.conductor.provision(uuid, { target: 'deleted' })
    await again.untilState(uuid, 'available')

    assert.ok(first.kind === 'kernel')
    const names = [first.kernel_url, ...first.ramdisk_urls].map((url) => url.slice(FILES.length + 1))
    assert.deepEqual(first, {
      kind: 'kernel',
      node: uuid,
      name: uuid,
      kernel_url: `${FILES}/${names[0]}`,
      ramdisk_urls: [`${FILES}/${names[1]}`, `${FILES}/${names[2]}`],
      parameters: [
        ['root', '/dev/ram0'],
        ['quiet', ''],
      ],
    })
    assert.equal(new Set(names).size, 3)
    assert.deepEqual(afterRestart, first)
    assert.deepEqual(keptFiles, names)
    assert.equal(bootOf(again).kind, 'disk')
    assert.deepEqual([released.at(-1), again.store.boots.size], [[], 0])
  })

  it('has its files fetched again from where they were when the image cache has lost them', async (t) => {
    const state_path = stateFolder(t)
    const { trial, uuid } = await deployed(t, livePlugin(), { state_path })
    await trial.untilState(uuid, 'active')
    await trial.store.nodes.update(uuid, { instance_info: { kernel: 'http://elsewhere.example/kernel' } })
    await trial.stop()
    const onDisk = readDisk(state_path)
    const there = new Set<string | undefined>()
    const asked: unknown[] = []
    const upstream = { isDown: true }
    const images = imagesOnPaper({
      hasFile: async (name) => there.has(name),
      async file({ href, field, checksum, name, node_uuid }) {
        asked.push({ href, field, checksum })
        if (upstream.isDown) throw new Error('the upstream is down')
        there.add(name)
        return imagesOnPaper().file({ href, field, node_uuid, signal: t.signal, progress() {} })
      },
    })
    const again = await startTrial(t, { plugins: [livePlugin()], state_path, images })

    await again.conductor.recover()
    await again.untilLine('file of an instance cannot be fetched again', { node: uuid, reason: 'the upstream is down' })
    const whileDown = await again.conductor.bootAsked(MAC)
    upstream.isDown = false
    await again.conductor.bootAsked(MAC)
    await again.untilLine('file of an instance fetched again', { node: uuid, field: 'instance_info/more' })
    const whenThere = await again.conductor.bootAsked(MAC)

    assert.equal(
      'missing' in whileDown && whileDown.missing,
      'instance_info/kernel and instance_info/ramdisk and instance_info/more are no longer in the image cache, and fetched again now. The last attempt failed: the upstream is down',
    )
    assert.deepEqual(whenThere, bootOf(again))
    assert.deepEqual(asked.at(-1), {
      href: 'http://images.example/more',
      field: 'instance_info/more',
      checksum: `sha256:${'a3'.repeat(32)}`,
    })
    assert.doesNotMatch(JSON.stringify(asked), /elsewhere/)
    // It may hold credentials.
    assert.doesNotMatch(onDisk, /images\.example\/kernel/)
  })

  it('says on the screen of its machine why the image cache cannot be used', async (t) => {
    const images = imagesOnPaper({ hasFile: () => Promise.reject(new Error('The image cache cannot be used.')) })
    const { trial, uuid } = await deployed(t, livePlugin(), { images })
    await trial.untilState(uuid, 'active')

    const boot = await trial.conductor.bootAsked(MAC)

    assert.equal('missing' in boot && boot.missing, 'The image cache cannot be used.')
  })

  it('lets go of files that came when its node was torn down already', async (t) => {
    const released: string[] = []
    const { promise: fetched, resolve: arrive } = Promise.withResolvers<void>()
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    const lost = { isLost: false }
    const paper = imagesOnPaper()
    const images = imagesOnPaper({
      hasFile: async () => !lost.isLost,
      async file(request) {
        if (lost.isLost) {
          begin()
          await fetched
        }
        return paper.file(request)
      },
      release: async (uuid) => void released.push(uuid),
    })
    const { trial, uuid } = await deployed(t, livePlugin(), { images })
    await trial.untilState(uuid, 'active')
    lost.isLost = true

    await trial.conductor.bootAsked(MAC)
    await begun
    await trial.conductor.provision(uuid, { target: 'deleted' })
    await trial.untilState(uuid, 'available')
    const before = released.length
    arrive()
    await trial.untilLine('file of an instance fetched again', { node: uuid, field: 'instance_info/more' })
    await trial.stop()

    assert.equal(released.length, before + 1)
  })

  it('may be an ISO, and is refused when the file is none by its content', async (t) => {
    const formats = { good: 'iso', bad: 'html' }
    const images = imagesOnPaper()
    const plugin = withStep({
      async run(task) {
        const which = task.node.instance_info.which as 'good' | 'bad'
        const iso = await task.images.file('http://images.example/live.iso', { field: 'instance_info/boot_iso' })
        await task.boot.instance({ iso: { ...iso, format: formats[which] } })
        return DONE
      },
    })
    const trial = await startTrial(t, { plugins: [plugin], images })
    const good = await trial.createNode({ instance_info: { which: 'good' } })
    const bad = await trial.createNode({ instance_info: { which: 'bad' } }, null)

    for (const { uuid } of [good, bad]) await trial.conductor.provision(uuid, { target: 'active' })
    await trial.untilState(good.uuid, 'active')
    const { last_error } = await trial.untilState(bad.uuid, 'deploy failed')
    const boot = bootOf(trial)

    assert.ok(boot.kind === 'iso' && boot.iso_url.startsWith(`${FILES}/${good.uuid}.`))
    assert.equal(
      last_error,
      `Deploy step deploy.only failed: The file that node ${bad.uuid} is to boot as an ISO is none by its content (html): an ISO 9660 image is expected.`,
    )
  })

  it('may be an ISO whose boot image is a floppy disk to a BIOS, and is refused when nothing in it starts', async (t) => {
    const image = { firmware: 'bios', start_bytes: 2048, size_bytes: 0 } as const
    const plugin = withStep({
      async run(task) {
        const iso = await task.images.file('http://images.example/live.iso', { field: 'instance_info/boot_iso' })
        await task.boot.instance({ iso: { ...iso, format: 'iso' } })
        return DONE
      },
    })
    const deployedWith = (bootImages: Images['bootImages']) =>
      deployed(t, plugin, { images: imagesOnPaper({ bootImages }) })
    const floppy = await deployedWith(async () => [{ ...image, emulates: 'floppy' }])
    const none = await deployedWith(async () => [])
    const disk = await deployedWith(async () => [{ ...image, emulates: 'hard disk' }])

    await floppy.trial.untilState(floppy.uuid, 'active')
    const boot = bootOf(floppy.trial)
    const refused = [
      (await none.trial.untilState(none.uuid, 'deploy failed')).last_error,
      (await disk.trial.untilState(disk.uuid, 'deploy failed')).last_error,
    ]

    assert.ok(boot.kind === 'iso')
    assert.equal(boot.floppy_url, `${boot.iso_url}.floppy`)
    const sentence = (uuid: string, found: string) =>
      `Deploy step deploy.only failed: The ISO that node ${uuid} is to boot has ${found}: no machine starts from it. Take an ISO that boots from a CD drive.`
    assert.deepEqual(refused, [
      sentence(none.uuid, 'no boot catalogue (El Torito)'),
      sentence(disk.uuid, 'a boot image that emulates a hard disk only'),
    ])
  })

  it('is gone when its deploy fails after it, and when the disk is named instead', async (t) => {
    const failing = await deployed(
      t,
      livePlugin({}, (task) => Promise.reject(task.failure('the installer gave up'))),
    )
    const written = await deployed(
      t,
      livePlugin({}, (task) => task.boot.disk()),
    )

    await failing.trial.untilState(failing.uuid, 'deploy failed')
    await written.trial.untilState(written.uuid, 'active')

    assert.deepEqual([bootOf(failing.trial).kind, failing.trial.store.boots.size], ['disk', 0])
    assert.deepEqual([bootOf(written.trial).kind, written.trial.store.boots.size], ['disk', 0])
  })

  it('goes with its node, even where the image cache cannot be used', async (t) => {
    const images = imagesOnPaper({ release: () => Promise.reject(new Error('no disk')) })
    const { trial, uuid } = await deployed(t, livePlugin(), { images })
    await trial.untilState(uuid, 'active')

    await trial.conductor.withNode(uuid, 'deletion', () => trial.store.nodes.delete(uuid))

    assert.deepEqual([trial.store.nodes.size, trial.store.boots.size], [0, 0])
    await trial.untilLine('image not released', { node: uuid, reason: 'no disk' })
  })

  it('gives way to the deploy ramdisk while a procedure wants that', async (t) => {
    const { trial, uuid } = await deployed(t, livePlugin())
    await trial.untilState(uuid, 'active')

    await trial.store.boots.update(uuid, { agent: true })
    const whileActive = bootOf(trial).kind
    await trial.store.nodes.update(uuid, { provision_state: 'clean wait' })
    const whileCleaned = bootOf(trial).kind

    assert.deepEqual([whileActive, whileCleaned], ['kernel', 'agent'])
  })

  it('takes no parameter that no script can carry, and no file of another node', async (t) => {
    const other = `aaaaaaaa-0000-4000-8000-000000000001.${'0'.repeat(16)}`
    const run = (parameters: string, change: Partial<ServedFile> = {}) =>
      withStep({
        async run(task) {
          const kernel = await task.images.file('http://images.example/kernel', { field: 'instance_info/kernel' })
          await task.boot.instance({ kernel: { ...kernel, ...change }, parameters })
          return DONE
        },
      })
    const hostile = await deployed(t, run('quiet || shell'))
    const foreign = await deployed(t, run('', { name: other }))

    const [one, two] = [
      await hostile.trial.untilState(hostile.uuid, 'deploy failed'),
      await foreign.trial.untilState(foreign.uuid, 'deploy failed'),
    ]

    assert.equal(
      one.last_error,
      `Deploy step deploy.only failed: The kernel of node ${hostile.uuid} cannot be started: Kernel parameters hold a word "||", "&&" or ";", which would end the command in iPXE. Remove it.`,
    )
    assert.match(two.last_error ?? '', /what images\.file gave for this node is expected/)
  })
})

describe('text that is published for a machine', () => {
  it('has an address that nobody guesses, is a secret on the disk, and goes with the deploy or with the instance', async (t) => {
    const urls: Record<string, string> = {}
    const seen: unknown[] = []
    const plugin = livePlugin({}, async (task) => {
      await task.boot.publish('ks.cfg', 'old')
      urls.ks = await task.boot.publish('ks.cfg', 'rootpw hunter2')
      urls.more = await task.boot.publish('user-data', '#cloud-config', { until: 'instance' })
      seen.push(
        publishedAt(trial, urls.ks),
        publishedAt(trial, urls.ks.replace(/\/.{32}\/ks/, `/${'A'.repeat(32)}/ks`)),
      )
      seen.push(publishedAt(trial, urls.ks.replace('ks.cfg', 'constructor')))
      seen.push(readDisk(state_path).includes('hunter2'))
    })
    const state_path = stateFolder(t)
    const trial = await startTrial(t, { plugins: [plugin], state_path })
    const { uuid } = await trial.createNode()
    await trial.conductor.provision(uuid, { target: 'active' })
    await trial.untilState(uuid, 'active')
    const whileActive = [urls.ks, urls.more].map((url = '') => publishedAt(trial, url)?.text)

    await trial.conductor.provision(uuid, { target: 'deleted' })
    await trial.untilState(uuid, 'available')

    assert.match(urls.ks ?? '', new RegExp(`^http://172\\.22\\.0\\.1:8080/nodes/${uuid}/[A-Za-z0-9_-]{32}/ks\\.cfg$`))
    assert.deepEqual(seen, [{ node: uuid, name: 'ks.cfg', text: 'rootpw hunter2' }, undefined, undefined, false])
    assert.deepEqual(whileActive, [undefined, '#cloud-config'])
    assert.equal(publishedAt(trial, urls.more ?? ''), undefined)
    assert.doesNotMatch(JSON.stringify(trial.lines), /hunter2/)
  })

  it('is refused by a name that is none, and when it is too much', async (t) => {
    const failures: string[] = []
    const plugin = withStep({
      async run(task) {
        for (const [name, text] of [
          ['../ks.cfg', ''],
          ['a b', ''],
          ['ks.cfg', 'x'.repeat(256 * 1024 + 1)],
        ] as const) {
          await task.boot.publish(name, text).catch((error: Error) => failures.push(error.message))
        }
        return DONE
      },
    })

    const { trial, uuid } = await deployed(t, plugin)
    await trial.untilState(uuid, 'active')

    const names = 'letters, digits, ".", "_" and "-" are expected, at most 64.'
    assert.deepEqual(failures, [
      `What was published for a machine has the name "../ks.cfg": ${names}`,
      `What was published for a machine has the name "a b": ${names}`,
      'What was published for a machine has 262145 bytes: at most 262144 are taken.',
    ])
  })
})

describe('ramdisk layers', () => {
  it('are asked for by the procedure that boots the agent: a list is for each, a function chooses', async (t) => {
    const asked: string[] = []
    const layers: unknown[] = []
    const choosing = pluginOf({
      ramdiskLayers({ procedure }) {
        asked.push(procedure)
        return procedure === 'clean' ? ['sshd'] : ['podman']
      },
    })
    for (const plugin of [choosing, pluginOf({ ramdiskLayers: ['podman'] })]) {
      const trial = await startTrial(t, { plugins: [plugin] })
      const { uuid } = await trial.createNode({ provision_state: 'clean wait' })
      await trial.store.boots.create(newBoot(uuid, { agent: true }))
      const boot = bootOf(trial)
      layers.push(boot.kind === 'agent' && boot.layers)
    }

    assert.deepEqual(layers, [['sshd'], ['podman']])
    assert.deepEqual(asked, ['clean'])
  })

  it('are asked for by the boot for a service, too', async (t) => {
    const trial = await startTrial(t, { plugins: [pluginOf({ ramdiskLayers: ({ procedure }) => [procedure] })] })
    const { uuid } = await trial.createNode({ provision_state: 'service wait' })
    await trial.store.boots.create(newBoot(uuid, { agent: true }))

    const boot = bootOf(trial)

    assert.deepEqual(boot.kind === 'agent' && boot.layers, ['service'])
  })
})

const readDisk = (folder: string) =>
  globSync('**/*', { cwd: folder, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'))
    .join()
