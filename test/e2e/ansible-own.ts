/** Deploys of partition images by our playbooks, and what their systems then are. */
import assert from 'node:assert/strict'
import { dirname } from 'node:path'
import type { TestContext } from 'node:test'
import type { DeployOptions } from '../rack/deploy.ts'
import type { Image } from '../rack/image.ts'
import { ensurePartitionImage } from '../rack/partition-image/build.ts'
import type { Rack, RackOptions } from '../rack/rack.ts'
import type { Timeline } from '../rack/timeline.ts'
import { PREPARE_DEADLINE_MS, rackFor, showNode } from './racks.ts'

/** Python unpacks and hashes the image, which takes minutes where the machine's processor is emulated. */
export const ANSIBLE_DEADLINE_MS = 1_200_000
const ENABLED = { DEFAULT: { enabled_deploy_interfaces: 'direct, ansible' } }
export const PARTITION_IMAGE: Pick<DeployOptions, 'instance_info' | 'node'> = {
  instance_info: { image_type: 'partition', root_gb: '2', swap_mb: '64', ephemeral_gb: '1' },
  node: { deploy_interface: 'ansible', property: ['capabilities=disk_label:gpt'] },
}

export async function partitionImage(): Promise<Image> {
  const { raw, sha256, size_bytes } = await ensurePartitionImage(AbortSignal.timeout(PREPARE_DEADLINE_MS))
  return { path: raw, sha256, virtual_bytes: size_bytes, format: 'raw', isOwn: true }
}

/** Machines that can be deployed with these. */
export const rackWith = (
  test: Pick<TestContext, 'signal'>,
  images: readonly Image[],
  more: Partial<RackOptions> = {},
): Promise<Rack> => rackFor(test, { images: images.map(({ path }) => dirname(path)), config: ENABLED, ...more })

/** It runs what it was given, and took its name from its config drive. */
export async function assertHome(rack: Rack, timeline: Timeline | undefined): Promise<void> {
  assert.ok(timeline)
  const home = timeline.stages.find(({ name }) => name === 'phone-home')
  assert.equal(home?.note, `it calls itself ${timeline.name}`)
  const { provision_state, last_error, deploy_interface } = await showNode(rack, timeline.name)
  assert.deepEqual([provision_state, last_error, deploy_interface], ['active', null, 'ansible'])
}
