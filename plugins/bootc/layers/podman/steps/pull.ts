/** Pulls the image into the scratch space by its digest: podman itself proves every byte. */
import type { StepAgent, StepContext, StepProgress } from '@appliance/pxe/agent-api'
import type { InstallArguments } from './arguments.ts'
import { boundImages } from './bound-images.ts'
import { receivedBytes } from './counters.ts'
import { addToMirrorFiles, pulledName, writeMirrorFiles } from './registries.ts'
import { createSaid } from './said.ts'
import { sampling } from './sampling.ts'
import type { Scratch } from './scratch.ts'

const SAMPLE_MS = 1000
const STUCK_MS = 15 * 60_000
const COPYING = /^Copying blob /

export type Pulling = { agent: StepAgent; context: StepContext; scratch: Scratch }

/** The image, and those that it binds. @throws Error  podman's own reason; the ticket is gone in any case */
export async function pull(task: Pulling, args: InstallArguments): Promise<void> {
  const { root } = task.agent
  await using files = await writeMirrorFiles(root, args)
  const options = files.auth_file ? ['--authfile', files.auth_file] : []
  await pullOne(task, { ...args, name: pulledName(args), options })
  for (const reference of await boundImages(task.agent, args)) {
    await addToMirrorFiles(root, args.mirror, reference)
    const { timeout_s } = args
    await pullOne(task, { reference, name: reference, options, timeout_s, size_bytes: undefined, layers: undefined })
  }
}

type Wanted = Pick<InstallArguments, 'reference' | 'timeout_s' | 'size_bytes' | 'layers'> & {
  /** As podman is asked for it. */
  name: string
  options: readonly string[]
}

async function pullOne(task: Pulling, wanted: Wanted): Promise<void> {
  const said = createSaid()
  let layers = 0
  const show = await pullProgress(task, wanted, () => layers)
  const stuck = new AbortController()
  await using _ = sampling(SAMPLE_MS, async () => {
    if ((await show()) > STUCK_MS) stuck.abort(new Error('nothing came in for 15 minutes'))
  })
  try {
    await task.agent.programs.run(
      'podman',
      ['pull', '--retry', '3', '--retry-delay', '5s', ...wanted.options, wanted.name],
      {
        timeout_s: wanted.timeout_s,
        signal: stuck.signal,
        onLine(line) {
          const clean = said.add(line)
          if (COPYING.test(clean)) layers++
          task.agent.screen.note(`podman: ${clean}`)
        },
      },
    )
  } catch (cause) {
    const why = stuck.signal.aborted ? 'nothing came in for 15 minutes' : said.telling()
    throw new Error(`${wanted.reference} could not be pulled from the mirror: ${why ?? (cause as Error).message}`, {
      cause,
    })
  }
}

/** @returns shows how far it is; tells for how many milliseconds nothing has changed */
async function pullProgress({ agent, context, scratch }: Pulling, wanted: Wanted, layers: () => number) {
  const before = await receivedBytes(agent.root)
  let last = { received: -1, used: -1, at: performance.now() }
  return async (): Promise<number> => {
    const received = (await receivedBytes(agent.root)) - before
    const used = await scratch.usedBytes()
    if (received - last.received > 64 * 1024 || used !== last.used) last = { received, used, at: performance.now() }
    context.progress(shown(wanted, { received, used, layers: layers() }))
    return performance.now() - last.at
  }
}

/** Layers are fetched and unpacked side by side; once all is here, what the store has grown to is what still moves. */
function shown(
  { reference, size_bytes: total, layers: all }: Wanted,
  { received, used, layers }: { received: number; used: number; layers: number },
): StepProgress {
  if (total !== undefined && received >= total) return { note: `unpacking ${reference}`, done: used, unit: 'bytes' }
  const layer = layers === 0 ? '' : `, layer ${layers}${all === undefined ? '' : ` of ${all}`}`
  const far = total === undefined ? {} : { total }
  return { note: `pulling ${reference}${layer}`, done: received, ...far, unit: 'bytes' }
}
