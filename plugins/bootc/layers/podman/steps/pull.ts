/** Pulls the image into the scratch space by its digest: podman itself proves every byte. */
import type { StepAgent, StepContext } from '@appliance/pxe/agent-api'
import type { InstallArguments } from './arguments.ts'
import { receivedBytes } from './counters.ts'
import { repositoryOf, writeMirrorFiles } from './registries.ts'
import { createSaid } from './said.ts'
import { sampling } from './sampling.ts'
import type { Scratch } from './scratch.ts'

const SAMPLE_MS = 1000
const STUCK_MS = 15 * 60_000
const COPYING = /^Copying blob /

/** What podman knows the image by, here. */
export const pulledName = ({ reference, digest }: Pick<InstallArguments, 'reference' | 'digest'>) =>
  `${repositoryOf(reference)}@${digest}`

/** @throws Error  podman's own reason; the ticket is gone in any case */
export async function pull(
  { agent, context, scratch }: { agent: StepAgent; context: StepContext; scratch: Scratch },
  args: InstallArguments,
): Promise<void> {
  await using files = await writeMirrorFiles(agent.root, args)
  const said = createSaid()
  let layers = 0
  const show = await pullProgress({ agent, context, scratch }, args, () => layers)
  const stuck = new AbortController()
  await using _ = sampling(SAMPLE_MS, async () => {
    if ((await show()) > STUCK_MS) stuck.abort(new Error('nothing came in for 15 minutes'))
  })
  const options = ['--retry', '3', '--retry-delay', '5s', ...(files.auth_file ? ['--authfile', files.auth_file] : [])]
  try {
    await agent.programs.run('podman', ['pull', ...options, pulledName(args)], {
      timeout_s: args.timeout_s,
      signal: stuck.signal,
      onLine(line) {
        const clean = said.add(line)
        if (COPYING.test(clean)) layers++
        agent.screen.note(`podman: ${clean}`)
      },
    })
  } catch (cause) {
    const why = stuck.signal.aborted ? 'nothing came in for 15 minutes' : said.telling()
    throw new Error(
      `${args.reference} could not be pulled from ${args.mirror.location}: ${why ?? (cause as Error).message}`,
      { cause },
    )
  }
}

type Pulling = { agent: StepAgent; context: StepContext; scratch: Scratch }

/** @returns shows how far it is; tells for how many milliseconds nothing has changed */
async function pullProgress({ agent, context, scratch }: Pulling, args: InstallArguments, layers: () => number) {
  const before = await receivedBytes(agent.root)
  let last = { received: -1, used: -1, at: performance.now() }
  return async (): Promise<number> => {
    const received = (await receivedBytes(agent.root)) - before
    const used = await scratch.usedBytes()
    if (received - last.received > 64 * 1024 || used !== last.used) last = { received, used, at: performance.now() }
    const total = args.size_bytes
    // What the wire adds to the bytes themselves must not show more than there is.
    const done = total === undefined ? received : Math.min(received, total)
    const layer = layers() === 0 ? '' : `, layer ${layers()}${args.layers === undefined ? '' : ` of ${args.layers}`}`
    const note =
      total !== undefined && received >= total ? `unpacking ${args.reference}` : `pulling ${args.reference}${layer}`
    context.progress({ note, done, ...(total === undefined ? {} : { total }), unit: 'bytes' })
    return performance.now() - last.at
  }
}
