/**
 * ATA disks erase themselves by SECURITY ERASE UNIT, which is closed where firmware has frozen their security.
 * @source ironic-python-agent hardware.py _ata_erase; ATA ACS-3, 4.17 Security feature set, SEC1 to SEC6; hdparm 9.65
 */
import { messageOf } from '../errors.ts'
import { ERASE_TIMEOUT_S, type Erasing, isAbsent, type SecureErase, SecureEraseFailed } from './secure-erase.ts'

export type Security = {
  supported: boolean
  enabled: boolean
  locked: boolean
  frozen: boolean
  /** By a pattern of the maker's, and what was moved away from bad places, too. */
  enhanced: boolean
}

/** hdparm older than 9.51 took NULL for that text, so disks of a broken-off erasing may have either. */
const PASSWORDS = ['NULL', '']
const USER = ['--user-master', 'u']

/** Disks that no ATA command reaches. */
const OTHERS: readonly (string | null)[] = ['virtio', 'nvme', 'mmc', 'iscsi', 'fc']

/**
 * @returns undefined: it knows none
 * @throws SecureEraseFailed  it knows one, and does not let us
 */
export async function ataErase(erasing: Erasing): Promise<SecureErase | undefined> {
  const { disk } = erasing
  if (OTHERS.includes(disk.tran)) return undefined
  const told = await securityOf(erasing).catch((error: unknown) => {
    if (isAbsent(error)) throw error
    return erasing.screen.note(messageOf(error))
  })
  if (!told?.supported || !(await isReached(erasing))) return undefined
  if (told.frozen) {
    throw new SecureEraseFailed(
      `Block device ${disk.name} is frozen and cannot be erased: the firmware has closed its security until its power was off`,
    )
  }
  const security = told.locked ? await unlocked(erasing, told) : told
  if (security.locked) throw new SecureEraseFailed(`Block device ${disk.name} already has a security password set`)
  const how = security.enhanced ? '--security-erase-enhanced' : '--security-erase'
  return {
    how: `ATA secure erase${security.enhanced ? ' (enhanced)' : ''}`,
    run: () => eraseBy(erasing, how, security),
  }
}

async function eraseBy(erasing: Erasing, how: string, { enabled }: Security): Promise<void> {
  const { disk } = erasing
  if (!enabled) {
    await hdparm(erasing, [...USER, '--security-set-pass', 'NULL']).catch((cause: unknown) => {
      throw new SecureEraseFailed(`Security password set failed for device ${disk.name}: ${messageOf(cause)}`, {
        cause,
      })
    })
  }
  try {
    await hdparm(erasing, [...USER, how, 'NULL'], ERASE_TIMEOUT_S)
  } catch (cause) {
    // With its password left on, the disk could not even be overwritten.
    await unlocked(erasing).catch(() => {})
    await hdparm(erasing, [...USER, '--security-disable', 'NULL']).catch(() => {})
    throw new SecureEraseFailed(`Erase failed for device ${disk.name}: ${messageOf(cause)}`, { cause })
  }
  const after = await securityOf(erasing).catch((cause: unknown) => {
    throw new SecureEraseFailed(`An unknown error occurred erasing block device ${disk.name}: ${messageOf(cause)}`, {
      cause,
    })
  })
  if (!after.enabled) return
  throw new SecureEraseFailed(
    `An unknown error occurred erasing block device ${disk.name}: its security password is still set`,
  )
}

/** Of a broken-off erasing, the password is known. */
async function unlocked(erasing: Erasing, told?: Security): Promise<Security> {
  let security = told ?? (await securityOf(erasing))
  for (const password of PASSWORDS) {
    if (!security.locked) break
    await hdparm(erasing, [...USER, '--security-unlock', password]).catch((error: unknown) =>
      erasing.screen.note(messageOf(error)),
    )
    security = await securityOf(erasing)
  }
  return security
}

/** A bridge that translates may not let the commands through. Without smartctl nobody can tell. */
async function isReached({ file, disk, programs, screen }: Erasing): Promise<boolean> {
  try {
    const said = await programs.run('smartctl', ['-d', 'ata', file.path, '-g', 'security'])
    return !said.includes('Unavailable')
  } catch (error) {
    if (isAbsent(error)) return true
    screen.say(`${disk.name}: no ATA secure erase, as plain ATA commands do not reach it`)
    return false
  }
}

const securityOf = async (erasing: Erasing) => parseSecurity(await hdparm(erasing, ['-I']))

function hdparm({ file, programs }: Erasing, args: readonly string[], timeout_s?: number): Promise<string> {
  return programs.run('hdparm', [...args, file.path], timeout_s === undefined ? {} : { timeout_s })
}

/** What `hdparm -I` prints below `Security:`. A disk without a word of it supports none. */
export function parseSecurity(text: string): Security {
  const lines = (text.split(/\nSecurity: ?\n/)[1] ?? '').split('\n')
  const end = lines.findIndex((line) => !line.startsWith('\t'))
  const words = lines.slice(0, end < 0 ? undefined : end).map((line) => line.trim().replace(/\s+/g, ' '))
  const has = (word: string) => words.includes(word)
  return {
    supported: has('supported'),
    // What is not said to be off counts as on.
    enabled: !has('not enabled'),
    locked: !has('not locked'),
    frozen: !has('not frozen'),
    enhanced: has('supported: enhanced erase'),
  }
}
