/**
 * Steps that clear what the firmware keeps of a machine's last life: records of crashes, boot entries.
 * @source ironic-python-agent hardware.py erase_pstore, clean_uefi_nvram; efi_utils.py clean_boot_records
 */
import { existsSync } from 'node:fs'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createContext, runInContext } from 'node:vm'
import { withVariables } from '../boot/entries.ts'
import { AgentError, messageOf } from '../errors.ts'
import { bootModeOf } from '../hardware/inventory.ts'
import type { Params } from '../protocol/commands.ts'
import type { AgentContext } from './context.ts'

type Step = (agent: AgentContext, args: Params) => Promise<unknown>

const PSTORE = 'sys/fs/pstore'
/** @source ironic-python-agent DEFAULT_CLEAN_UEFI_NVRAM_MATCH_PATTERNS */
const STANDARD_PATTERNS = ['^HD\\(', 'shim.*\\.efi', 'grub.*\\.efi']
export const NVRAM_ARGSINFO = {
  match_patterns: {
    description: `Regular expressions, without regard to case: boot entries whose path one of them finds are removed. Standard: ${JSON.stringify(STANDARD_PATTERNS)}.`,
    required: false,
  },
}
const PATTERNS_LIMIT = 32
const PATTERN_LENGTH_LIMIT = 256
/** Of all patterns on all entries: one that never ends stops nobody else. */
const MATCHING_LIMIT_MS = 2000
const EFIBOOTMGR_TIMEOUT_S = 120

export const FIRMWARE_STEPS = {
  async erase_pstore({ root, programs, screen }) {
    const folder = join(root, PSTORE)
    if (!existsSync(folder)) return screen.say('This kernel keeps no pstore: nothing is erased')
    const mounts = await readFile(join(root, 'proc/mounts'), 'utf8').catch(() => '')
    if (!/^\S+ \S+ pstore /m.test(mounts)) await programs.run('mount', ['-t', 'pstore', 'pstore', folder])
    const names = await readdir(folder)
    for (const name of names) await rm(join(folder, name), { recursive: true })
    screen.say(`Erased ${names.length} records of pstore`)
  },
  async clean_uefi_nvram(agent, { match_patterns = STANDARD_PATTERNS }) {
    const patterns = checkedPatterns(match_patterns)
    if ((await bootModeOf(agent.root)) === 'bios') return agent.screen.say('Booted by BIOS: there are no boot entries')
    const efibootmgr = (...args: string[]) =>
      agent.programs.run('efibootmgr', args, { timeout_s: EFIBOOTMGR_TIMEOUT_S })
    await withVariables(agent, async () => {
      for (const { number, label } of matching(entriesWithPaths(await efibootmgr('-v')), patterns)) {
        await efibootmgr('--quiet', '--bootnum', number, '--delete-bootnum')
        agent.screen.say(`Removed boot entry ${number} "${label}"`)
      }
    })
  },
} as const satisfies Record<string, Step>

/** @throws AgentError  in Ironic's agent's words */
function checkedPatterns(given: unknown): string[] {
  const isList = Array.isArray(given) && given.length <= PATTERNS_LIMIT
  if (
    isList &&
    given.every((item) => typeof item === 'string' && item.length <= PATTERN_LENGTH_LIMIT && isPattern(item))
  )
    return given
  const found = (JSON.stringify(given) ?? 'nothing').slice(0, PATTERN_LENGTH_LIMIT)
  throw new AgentError(
    'InvalidCommandParamsError',
    `The match_patterns must be a list of strings: ${found}: expected at most ${PATTERNS_LIMIT} regular expressions of ${PATTERN_LENGTH_LIMIT} characters`,
  )
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'i') instanceof RegExp
  } catch {
    // The error that is thrown for the list shows it.
    return false
  }
}

type EntryWithPath = { number: string; label: string; path: string }

/** What `efibootmgr -v` prints: a tab between label and device path. */
const entriesWithPaths = (text: string): EntryWithPath[] =>
  [...text.matchAll(/^Boot([0-9A-F]{4})[* ] ([^\t\n]*)\t([^\n]*)$/gim)].map(
    ([, number = '', label = '', path = '']) => ({
      number,
      label: label.trim(),
      path,
    }),
  )

/** Apart, by the clock. @throws AgentError  a pattern takes too long */
function matching(entries: readonly EntryWithPath[], patterns: readonly string[]): EntryWithPath[] {
  const apart = createContext({ paths: entries.map(({ path }) => path), patterns })
  const code = "paths.map((path) => patterns.some((pattern) => new RegExp(pattern, 'i').test(path)))"
  try {
    const isFound = runInContext(code, apart, { timeout: MATCHING_LIMIT_MS }) as readonly boolean[]
    return entries.filter((_, index) => isFound[index])
  } catch (cause) {
    throw new AgentError(
      'InvalidCommandParamsError',
      `match_patterns take too long, so no boot entry was removed: ${messageOf(cause)}`,
      {
        cause,
      },
    )
  }
}
