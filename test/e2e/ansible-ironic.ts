/** Deploys by Ironic's own playbooks, unchanged. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Image } from '../rack/image.ts'
import { ensureIronicPlaybooks } from '../rack/ironic-playbooks.ts'
import type { Rack } from '../rack/rack.ts'
import { run } from '../rack/run-program.ts'
import { ANSIBLE_DEADLINE_MS } from './ansible-own.ts'
import { deploy, ownImage, PREPARE_DEADLINE_MS, rackFor } from './racks.ts'

export type Format = 'raw' | 'qcow2'
/** The task that only an image of this format comes to. */
const TASKS: Readonly<Record<Format, string>> = { raw: 'stream to target', qcow2: 'convert and write' }
const STEPS = ['step deploy.write_image', 'step deploy.tear_down_agent', 'active', 'phone-home']
/** A qcow2 image is downloaded to memory first. */
const MEMORY_MIB = 1536

/** A rack whose machine runs the small Debian, with the host name of its config drive. Ends with the test. */
export async function deployByIronic(test: TestContext, format: Format): Promise<Rack> {
  const ironic = await ensureIronicPlaybooks(AbortSignal.timeout(PREPARE_DEADLINE_MS))
  const folder = await mkdtemp(join(tmpdir(), 'rackstrap-ansible-'))
  test.after(() => rm(folder, { recursive: true }))
  const image = await inFormat(await ownImage(), format, folder)
  const rack = await rackFor(test, {
    images: [folder],
    memory_mib: MEMORY_MIB,
    config: {
      DEFAULT: { enabled_deploy_interfaces: 'direct,ansible', force_raw_images: 'False' },
      // Ironic's tasks that wipe the ends of disks do not say `become`.
      ansible: { ...ironic, ansible_extra_args: '--become' },
    },
  })
  test.after(() => rack[Symbol.asyncDispose]())

  const signal = AbortSignal.timeout(ANSIBLE_DEADLINE_MS)
  const [timeline] = await deploy(rack, image, { node: { deploy_interface: 'ansible' }, signal })

  const names = timeline?.stages.map(({ name }) => name) ?? []
  assert.deepEqual(
    STEPS.filter((stage) => !names.includes(stage)),
    [],
  )
  assert.equal(timeline?.stages.find(({ name }) => name === 'phone-home')?.note, 'it calls itself rack-1')
  const log = await readFile(rack.appliance.options.log, 'utf8')
  assert.ok(log.includes(`deploy.yaml: deploy : ${TASKS[format]}`), `the task "${TASKS[format]}" was run`)
  return rack
}

/** The same disk in another format. */
async function inFormat(image: Image, format: Format, folder: string): Promise<Image> {
  const path = join(folder, `image.${format}`)
  await run('qemu-img', ['convert', '-O', format, image.path, path])
  const sha256 = (await run('sha256sum', [path])).split(' ')[0] ?? ''
  return { ...image, path, sha256, format }
}
