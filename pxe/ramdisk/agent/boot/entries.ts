/** The firmware's list of what it boots, by efibootmgr. @source ironic-python-agent efi_utils.py */
import { join } from 'node:path'
import { messageOf } from '../errors.ts'
import type { Programs } from '../programs.ts'
import type { Loader } from './loaders.ts'

export type BootEntry = { number: string; label: string }
export type BootEntries = { order: readonly string[]; entries: readonly BootEntry[] }
export type LoaderPlace = {
  /** Path of the disk, number of its EFI system partition. */
  disk: string
  partition: number
  /** Its table names the disk by a number of its own, which may still be 0. */
  is_mbr: boolean
  loader: Loader
}

/** Flash memory is slow, and some firmware tidies it up just then. */
const TIMEOUT_S = 120
const VARIABLES = 'sys/firmware/efi/efivars'

type Machine = { root: string; programs: Programs }

/**
 * It takes the place of entries of the same name, and is the first in order.
 * @throws Error  the firmware's variables cannot be reached, or do not take it
 */
export const makeFirst = (machine: Machine, place: LoaderPlace): Promise<BootEntry> =>
  withVariables(machine, () => replace(machine.programs, place))

/** While the firmware's variables can be written. @throws Error  they cannot be reached */
export async function withVariables<T>({ root, programs }: Machine, act: () => Promise<T>): Promise<T> {
  const folder = join(root, VARIABLES)
  // Built into some kernels; mount says more about it.
  await programs.run('modprobe', ['efivarfs']).catch(() => {})
  await programs.run('mount', ['-t', 'efivarfs', 'efivarfs', folder])
  try {
    return await act()
  } finally {
    await programs.run('umount', [folder]).catch(() => {})
  }
}

async function replace(programs: Programs, { disk, partition, is_mbr, loader }: LoaderPlace): Promise<BootEntry> {
  const efibootmgr = (...args: string[]) => programs.run('efibootmgr', args, { timeout_s: TIMEOUT_S })
  const { entries } = parseEntries(await efibootmgr())
  for (const { number } of entries.filter(({ label }) => label === loader.label)) {
    await efibootmgr('--quiet', '--bootnum', number, '--delete-bootnum')
  }
  const at = ['--disk', disk, '--part', String(partition), ...(is_mbr ? ['--write-signature'] : [])]
  await efibootmgr('--quiet', '--create', ...at, '--label', loader.label, '--loader', loader.path)
  // Some firmware says yes, and keeps nothing.
  const kept = parseEntries(await efibootmgr())
  const first = kept.entries.find(({ number }) => number === kept.order[0])
  if (first?.label === loader.label) return first
  throw new Error(`the firmware has not kept it: first in its boot order is ${first ? `"${first.label}"` : 'nothing'}`)
}

/** What efibootmgr prints: with a tab between label and device path, by versions. */
export function parseEntries(text: string): BootEntries {
  const order = /^BootOrder: *([0-9A-F,]+)/im.exec(text)?.[1]?.split(',') ?? []
  const entries = [...text.matchAll(/^Boot([0-9A-F]{4})[* ] (.*)$/gim)].map(([, number = '', rest = '']) => ({
    number,
    label: (rest.split('\t')[0] ?? '').trim(),
  }))
  return { order, entries }
}

/** Its first line: a program of the ramdisk says what it wanted to do, too. */
export const whyNot = (error: unknown): string => messageOf(error).split('\n')[0] ?? ''
