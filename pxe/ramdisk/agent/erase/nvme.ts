/**
 * NVMe disks erase themselves by format, or by sanitize where they know no format.
 * @source ironic-python-agent hardware.py _nvme_erase; NVM Express Base 2.0, Identify Controller, Format NVM, Sanitize;
 * nvme-cli 2.13
 */
import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import { ERASE_TIMEOUT_S, type Erasing, isAbsent, type SecureErase, SecureEraseFailed } from './secure-erase.ts'

/** `oacs`: the controller formats. */
const FORMATS = 1 << 1
/** `fna`: a format, or the erasing by one, takes all namespaces of the controller; it can throw its key away. */
const FORMATS_ALL = 1 << 0
const ERASES_ALL = 1 << 1
const FORMATS_CRYPTO = 1 << 2
const SECURE = {
  crypto: { ses: 2, words: 'cryptographic erase' },
  data: { ses: 1, words: 'user data erase' },
} as const
/** `sanicap`, and the action of that name. An overwriting one is left to ourselves. */
const SANITIZES = [
  { bit: 1 << 0, action: 4, words: 'cryptographic erase' },
  { bit: 1 << 1, action: 2, words: 'block erase' },
] as const
/** `sstat`: the lowest three bits. */
const SANITIZED = [1, 4]
const IN_PROGRESS = 2
/** nvme-cli waits ten minutes by itself. */
const FORMAT_TIMEOUT_MS = 4 * 3600 * 1000
const FIRST_LOOK_MS = 100
const LOOK_MS = 5000

type Told = Readonly<Record<string, unknown>>
type Way = { how: string; takes_all: boolean; run(): Promise<void> }

export const controllerOf = (name: string): string | undefined => /^\/dev\/(nvme\d+)n\d+$/.exec(name)?.[1]

/** @throws SecureEraseFailed  it has none, or others would lose their data by it */
export async function nvmeErase(erasing: Erasing): Promise<SecureErase> {
  const { disk, kept, screen } = erasing
  const controller = await told(erasing, 'id-ctrl')
  const ways = [...formatOf(erasing, controller), ...sanitizeOf(erasing, controller)]
  if (ways.length === 0) throw new SecureEraseFailed(`${disk.name} knows no NVMe format, and no sanitize that erases`)
  const [first, ...others] = ways.filter(({ takes_all }) => !takes_all || kept.length === 0)
  if (!first) {
    throw new SecureEraseFailed(
      `${ways[0]?.how} of ${disk.name} would erase ${kept.join(', ')} as well, which is to be kept`,
    )
  }
  return {
    how: first.how,
    async run() {
      let failure = await first.run().then(() => undefined, messageOf)
      for (const { how, run } of failure === undefined ? [] : others) {
        screen.say(`${disk.name}: ${failure}; trying ${how}`)
        const next = await run().then(() => undefined, messageOf)
        if (next === undefined) return
        failure = `${failure}; ${next}`
      }
      if (failure !== undefined) throw new SecureEraseFailed(failure)
    },
  }
}

function formatOf(erasing: Erasing, { oacs, fna }: Told): Way[] {
  if (!(bitsOf(oacs) & FORMATS)) return []
  const { ses, words } = bitsOf(fna) & FORMATS_CRYPTO ? SECURE.crypto : SECURE.data
  const takes_all = (bitsOf(fna) & (FORMATS_ALL | ERASES_ALL)) !== 0
  return [
    {
      how: `NVMe format (${words})`,
      takes_all,
      async run() {
        // Of a controller that formats all at once, nvme-cli would take the first size of sectors that there is.
        const keep = bitsOf(fna) & FORMATS_ALL ? [`--lbaf=${await formatInUse(erasing)}`] : []
        const args = ['format', erasing.file.path, `--ses=${ses}`, '--force', ...keep, `--timeout=${FORMAT_TIMEOUT_MS}`]
        await erasing.programs.run('nvme', args, { timeout_s: ERASE_TIMEOUT_S })
      },
    },
  ]
}

/** NVM Express NVM Command Set 1.0, Identify Namespace, FLBAS: bits 3:0, and 6:5 above them. */
async function formatInUse(erasing: Erasing): Promise<number> {
  const { flbas } = await told(erasing, 'id-ns')
  return (bitsOf(flbas) & 0xf) | ((bitsOf(flbas) >> 1) & 0x30)
}

/** Always of all that the controller has. */
function sanitizeOf(erasing: Erasing, { sanicap }: Told): Way[] {
  return SANITIZES.filter(({ bit }) => bitsOf(sanicap) & bit).map(({ action, words }) => ({
    how: `NVMe sanitize (${words})`,
    takes_all: true,
    async run() {
      await erasing.programs.run('nvme', ['sanitize', erasing.file.path, `--sanact=${action}`])
      await untilSanitized(erasing)
    },
  }))
}

async function untilSanitized(erasing: Erasing): Promise<void> {
  const deadline_ms = performance.now() + ERASE_TIMEOUT_S * 1000
  for (let wait_ms = FIRST_LOOK_MS; performance.now() < deadline_ms; wait_ms = Math.min(LOOK_MS, wait_ms * 2)) {
    const [log] = Object.values(await told(erasing, 'sanitize-log'))
    const { sstat } = (log ?? {}) as { sstat?: { status?: unknown } }
    const status = Number(/^\((\d)\)/.exec(String(sstat?.status))?.[1])
    if (SANITIZED.includes(status)) return
    if (status !== IN_PROGRESS) throw new Error(`nvme sanitize: the disk says ${JSON.stringify(sstat?.status ?? null)}`)
    await pause(wait_ms)
  }
  throw new Error(`nvme sanitize did not end within ${ERASE_TIMEOUT_S} s`)
}

/** @throws SecureEraseFailed  nvme-cli says why, or it is no object */
async function told({ file, disk, programs }: Erasing, what: string): Promise<Told> {
  try {
    const answer: unknown = JSON.parse(await programs.run('nvme', [what, file.path, '--output-format=json']))
    if (answer !== null && typeof answer === 'object') return answer as Told
    throw new Error('no JSON object')
  } catch (cause) {
    if (isAbsent(cause)) throw cause
    throw new SecureEraseFailed(`Failed to fetch NVMe capabilities for device ${disk.name}: ${messageOf(cause)}`, {
      cause,
    })
  }
}

const bitsOf = (value: unknown) => (Number.isInteger(value) ? Number(value) : 0)
