/** Erases one whole disk by the best way that it has, and reads back whether it did. */

import type { Partition } from '../disk/disk-file.ts'
import { eraseMetadata } from '../disk/erase-metadata.ts'
import { overwrite, type Pattern, randomPattern, ZEROS } from '../disk/overwrite.ts'
import { ataErase } from './ata.ts'
import { controllerOf, nvmeErase } from './nvme.ts'
import { markSamples, NotErased } from './samples.ts'
import { ERASE_TIMEOUT_S, type Erasing, isAbsent, type SecureErase, SecureEraseFailed } from './secure-erase.ts'
import type { Wishes } from './wishes.ts'

const NOTHING_TO_WRITE =
  'it would be overwritten with nothing: [deploy] shred_random_overwrite_iterations is 0, and shred_final_overwrite_with_zeros is False'
const HOW_TO_OVERWRITE = 'Set [deploy] continue_if_disk_secure_erase_fails to have it overwritten instead'

/** @param onBytes  how many more of the disk are behind us. @throws Error  one sentence: it is not erased */
export async function eraseDisk(
  erasing: Erasing,
  known: readonly Partition[],
  { wishes, onBytes }: { wishes: Wishes; onBytes(bytes: number): void },
): Promise<void> {
  const why = await eraseByItself(erasing, wishes)
  if (why !== undefined) return overwriteAll(erasing, wishes, { why, onBytes })
  await eraseMetadata(erasing.file, known)
  onBytes(erasing.disk.size)
}

/** @returns why an NVMe disk is not erased by its secure erase; undefined: it is */
export async function eraseNvme(erasing: Erasing, wishes: Wishes): Promise<string | undefined> {
  if (controllerOf(erasing.disk.name) === undefined) return 'it is no NVMe disk'
  const outcome = await bySecureErase(erasing, wishes)
  return outcome.erased ? undefined : outcome.why
}

/** `is_failure`: the disk has a secure erase, which did not do what it says. */
type Outcome = { erased: true } | { erased: false; why: string; is_failure: boolean }
const ERASED: Outcome = { erased: true }

/** @returns why it is to be overwritten; undefined: it is erased. @throws Error  it is not to be overwritten */
async function eraseByItself(erasing: Erasing, wishes: Wishes): Promise<string | undefined> {
  const outcome = await bySecureErase(erasing, wishes)
  if (outcome.erased) return undefined
  const { is_failure, why } = outcome
  if (!is_failure && (await isDiscarded(erasing, 'secure discard'))) return undefined
  if (wishes.discards && (await isDiscarded(erasing, 'discard'))) return undefined
  if (!is_failure || wishes.overwrites_instead) return why
  throw new Error(`Failed to invoke secure erase, fallback to shred is not enabled: ${why}. ${HOW_TO_OVERWRITE}`)
}

async function bySecureErase(erasing: Erasing, wishes: Wishes): Promise<Outcome> {
  try {
    const secure = await secureEraseOf(erasing, wishes)
    if (!secure) return { erased: false, why: 'it knows no secure discard', is_failure: false }
    await prove(erasing, secure)
    return ERASED
  } catch (error) {
    if (!(error instanceof SecureEraseFailed)) throw error
    return { erased: false, why: error.message, is_failure: true }
  }
}

/** @returns undefined: it has none, or is not to use it. @throws SecureEraseFailed */
async function secureEraseOf(erasing: Erasing, wishes: Wishes): Promise<SecureErase | undefined> {
  const { disk, screen } = erasing
  const isNvme = controllerOf(disk.name) !== undefined
  if (!(isNvme ? wishes.nvme_secure_erase : wishes.ata_secure_erase)) return undefined
  try {
    return await (isNvme ? nvmeErase(erasing) : ataErase(erasing))
  } catch (error) {
    if (!isAbsent(error)) throw error
    const program = isNvme ? 'nvme' : 'hdparm'
    screen.say(
      `${disk.name}: no secure erase, as this ramdisk has no ${program}. Build it again: rackstrap ramdisk build`,
    )
    return undefined
  }
}

/** @throws SecureEraseFailed  it failed, or the disk says so and still holds data */
async function prove({ disk, file, programs, screen }: Erasing, { how, run }: SecureErase): Promise<void> {
  const samples = await markSamples(file, programs)
  await run()
  await samples.assertGone().catch((error: unknown) => {
    if (!(error instanceof NotErased)) throw error
    throw new SecureEraseFailed(`${how} of ${disk.name} has ended, but ${error.message}`, { cause: error })
  })
  screen.say(`Erased ${disk.name} by ${how}; ${samples.count} places of it were read back`)
}

/**
 * @returns false: the disk does not know it. `--force`: the disk is ours, and nobody is to be asked about what is on
 * it
 */
export function discarded(
  { file, programs }: Pick<Erasing, 'file' | 'programs'>,
  how: readonly string[],
): Promise<boolean> {
  return programs.run('blkdiscard', ['--force', ...how, file.path], { timeout_s: ERASE_TIMEOUT_S }).then(
    () => true,
    () => false,
  )
}

/** What a disk reads after a secure discard is not said anywhere; after another one it has to be zeros. */
async function isDiscarded(
  { disk, file, programs, screen }: Erasing,
  how: 'secure discard' | 'discard',
): Promise<boolean> {
  const samples = await markSamples(file, programs)
  const isSecure = how === 'secure discard'
  if (!(await discarded({ file, programs }, isSecure ? ['--secure'] : []))) return false
  try {
    await (isSecure ? samples.assertGone() : samples.assertHold(ZEROS))
  } catch (error) {
    if (!(error instanceof NotErased)) throw error
    screen.say(`${disk.name}: its ${how} has ended, but ${error.message}`)
    return false
  }
  screen.say(`Erased ${disk.name} by ${how}; ${samples.count} places of it were read back`)
  return true
}

type Overwriting = { why: string; onBytes(bytes: number): void }

async function overwriteAll(
  { disk, file, programs, screen }: Erasing,
  { random_passes, zeros_last }: Wishes,
  { why, onBytes }: Overwriting,
): Promise<void> {
  const patterns: Pattern[] = [...Array.from({ length: random_passes }, randomPattern), ...(zeros_last ? [ZEROS] : [])]
  const last = patterns.at(-1)
  if (!last) throw new Error(NOTHING_TO_WRITE)
  const random = random_passes > 1 ? `random data, ${random_passes} times` : 'random data'
  const what = [...(random_passes > 0 ? [random] : []), ...(zeros_last ? ['zeros'] : [])].join(', then ')
  screen.say(`Overwriting ${disk.name} with ${what}: ${why}`)
  const samples = await markSamples(file, programs)
  let [written, told] = [0, 0]
  const onPart = (bytes: number) => {
    written += bytes
    const done = Math.floor(written / patterns.length)
    onBytes(done - told)
    told = done
  }
  for (const pattern of patterns) await overwrite(file, onPart, pattern)
  await samples.assertHold(last)
}
