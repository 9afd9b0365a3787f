/**
 * Racks for the end-to-end tests: what each needs is built once and kept, and what a failed test leaves is where the
 * message says.
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { TestContext } from 'node:test'
import { type DeployOptions, deployRack, type Payload } from '../rack/deploy.ts'
import { type Image, prepareImage } from '../rack/image.ts'
import { type Rack, type RackOptions, startRack } from '../rack/rack.ts'
import { ensureRamdisk } from '../rack/ramdisk.ts'
import type { Timeline } from '../rack/timeline.ts'

/** The longest that a deploy may take here, under emulation on two busy cores. */
export const DEPLOY_DEADLINE_MS = 300_000
/** The first run on a box builds ramdisk and image. */
export const PREPARE_DEADLINE_MS = 900_000

export const ownImage = (): Promise<Image> =>
  prepareImage(undefined, AbortSignal.timeout(PREPARE_DEADLINE_MS), () => {})

/** Up, with its machines off; ends with the test. */
export async function rackFor(
  test: Pick<TestContext, 'signal'>,
  options: Partial<RackOptions> & Pick<RackOptions, 'images'>,
): Promise<Rack> {
  const ramdisk = await ensureRamdisk(AbortSignal.timeout(PREPARE_DEADLINE_MS))
  return startRack({ ramdisk, signal: test.signal, ...options })
}

export const foldersOf = (image: Image): readonly string[] => [dirname(image.path)]

/** All machines of the rack, with our own client calls. @throws RackFailed with the reason */
export function deploy(rack: Rack, image: Payload, more: Partial<DeployOptions> = {}): Promise<Timeline[]> {
  const signal = AbortSignal.timeout(DEPLOY_DEADLINE_MS)
  return deployRack(rack, { image, signal, onStage() {}, onOngoing() {}, ...more })
}

/** By UEFI: the agent made a boot entry, first in order, and the firmware says that it starts it. */
export async function assertStartedByEntry(rack: Rack): Promise<void> {
  const shown = await readFile(rack.hardware.machines[0]?.options.console ?? '', 'latin1')
  const made = /Boot entry ([0-9A-F]{4}) "([^"]+)" starts \\EFI\\\S+\.EFI of \/dev\/vda2, first in/i.exec(shown)
  assert.ok(made, 'the agent made a boot entry')
  const [, number, label] = made
  assert.match(shown, new RegExp(`BdsDxe: starting Boot${number} "${label}" from HD\\(2,GPT,`))
}

/** Fields of a node as the real client prints them. */
export async function showNode(rack: Rack, name: string): Promise<Record<string, unknown>> {
  return JSON.parse(await rack.baremetal('node', 'show', name, '-f', 'json'))
}

/**
 * Has the real client do something with the node.
 * @returns the state that the node reaches by it, one of these. @throws Error  not in time
 */
export async function reachedBy(
  rack: Rack,
  words: readonly string[],
  { uuid, states, timeout_s }: { uuid: string; states: readonly string[]; timeout_s: number },
): Promise<string> {
  const from = rack.appliance.lines.length
  await rack.baremetal(...words)
  const line = await rack.appliance.waitFor(
    `${states.join(' or ')} of node ${uuid}`,
    ({ message, node, to }) => message === 'provision state changed' && node === uuid && states.includes(String(to)),
    { timeout_s, from },
  )
  return String(line.to)
}
