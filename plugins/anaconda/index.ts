/**
 * The deploy interface `anaconda`: the installer of Red Hat's family installs by a kickstart that is made for the
 * machine, and reports by itself. @source Ironic drivers/modules/pxe.py PXEAnacondaDeploy
 */
import type { DeployPlugin, ServedFile, SignOfLife, StepResult } from '@appliance/core/plugin-api'
import { containerOptions, examine } from './container.ts'
import { checkTemplate, type Parts, renderKickstart, templateOf, validateKickstart } from './kickstart.ts'
import { liveimgFile } from './liveimg.ts'
import { type FileField, type Wanted, wantedOf } from './node-fields.ts'
import { type AnacondaOptions, type AnacondaTask, OPTIONS } from './options.ts'

/** Where an installer looks below inst.stage2. @source anaconda dracut/anaconda-lib.sh anaconda_net_root */
const STAGE2 = 'LiveOS/squashfs.img'

async function validate(task: AnacondaTask): Promise<void> {
  const { kernel, ramdisk, stage2, ks_template, source, parameters } = wantedOf(task)
  const files = [kernel, ramdisk, stage2, ks_template, source.kind === 'liveimg' ? source.file : undefined]
  for (const file of files) if (file) task.images.validateFile(file.href, file)
  task.boot.validateParameters(source.kind === 'url' ? `${parameters} inst.repo=${source.url}` : parameters)
  if (source.kind === 'container') await examine(task, source)
}

type Installer = { kernel: ServedFile; ramdisk: ServedFile; stage2: ServedFile | undefined }

async function fetchInstaller(task: AnacondaTask, { kernel, ramdisk, stage2 }: Wanted): Promise<Installer> {
  const fetch = (file: FileField, as?: string) => task.images.file(file.href, { ...file, ...(as && { as }) })
  return {
    kernel: await fetch(kernel),
    ramdisk: await fetch(ramdisk),
    stage2: stage2 && (await fetch(stage2, STAGE2)),
  }
}

async function fetchParts(task: AnacondaTask, { source }: Wanted): Promise<Parts> {
  if (source.kind === 'container') return { container: await containerOptions(task, source) }
  return { container: {}, ...(source.kind === 'liveimg' ? { liveimg: await liveimgFile(task, source.file) } : {}) }
}

/** Everything that can be wrong is looked at while the machine still runs its old system. */
async function deploy(task: AnacondaTask): Promise<StepResult> {
  const wanted = wantedOf(task)
  const template = await templateOf(task, wanted)
  const hasConfigDrive = (await task.configDrive.encoded()) !== undefined
  await validateKickstart(task, await checkTemplate(task, wanted, template, hasConfigDrive))
  const installer = await fetchInstaller(task, wanted)
  const parts = await fetchParts(task, wanted)
  // The token, which the kickstart holds, does not outlive this.
  await task.power.off()
  const kickstart = await renderKickstart(task, wanted, template, parts)
  await boot(task, wanted, installer, await task.boot.publish('ks.cfg', kickstart))
  return { wait: 'callback', note: 'waiting for the installer' }
}

/** @source Ironic ipxe_config.template :boot_anaconda */
async function boot(task: AnacondaTask, wanted: Wanted, installer: Installer, kickstart: string): Promise<void> {
  const { kernel, ramdisk, stage2 } = installer
  const { parameters, source } = wanted
  const from = stage2
    ? [`inst.stage2=${stage2.url.slice(0, -STAGE2.length)}`]
    : source.kind === 'url'
      ? [`inst.repo=${source.url}`]
      : []
  const words = ['text', parameters, `inst.ks=${kickstart}`, ...from].filter((word) => word !== '')
  await task.boot.instance({ kernel, ramdisks: [ramdisk], parameters: words.join(' ') })
  await task.power.bootFrom('network', { persistent: true })
  await task.power.on()
}

const WORDS_LIMIT = 1000

async function heard(task: AnacondaTask, sign: SignOfLife): Promise<StepResult> {
  if (sign.from !== 'callback' || sign.status === 'start') return { wait: 'callback', note: 'the installer works' }
  if (sign.status === 'error') {
    throw task.failure(`The installer reported an error: ${sign.message?.slice(0, WORDS_LIMIT) || 'it gave no reason'}`)
  }
  // At once: the installer may start the machine anew by itself, and is not to begin once more.
  await task.boot.disk()
  return { done: true }
}

async function bootInstance(task: AnacondaTask): Promise<StepResult> {
  await task.boot.disk()
  await task.power.off()
  await task.power.bootFrom('disk')
  await task.power.on()
  return { done: true }
}

export default {
  apiVersion: '1',
  name: 'anaconda',
  usesAgent: false,
  options: OPTIONS,
  properties: {
    image_pull_secret:
      "Pull secret of a container image's registry, when instance_info has none: base64 of user:password, user:password, or the JSON of an auth file. Optional.",
  },
  validate,
  deploySteps: () => [
    // Again after a restart: what is cached is there at once, and the installer begins anew.
    { step: 'deploy', priority: 100, again: true, run: deploy, resume: heard },
    { step: 'boot_instance', priority: 20, again: true, run: bootInstance },
  ],
} satisfies DeployPlugin<AnacondaOptions>
