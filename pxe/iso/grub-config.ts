/** What GRUB is told in the ISO of one machine: its kernel's command line, and the archives that are its ramdisk. */
import { PxeError } from '../config.ts'
import { COMMAND_LINE_LIMIT, type KernelParameter, renderKernelParameter } from '../kernel-parameters.ts'

/** The same in each ISO: the part that is of one machine alone is a file of its own. */
export const FIRST_CONFIG = `search --no-floppy --set=root --file /rackstrap/boot.cfg
source /rackstrap/boot.cfg
`
export const fileName = (index: number) => (index === 0 ? 'kernel' : `ramdisk-${index}`)

/** @param o.ramdisks  how many archives lie beside the kernel @throws PxeError  what no kernel can be told, too long */
export function grubConfig(o: { parameters: readonly KernelParameter[]; ramdisks: number; hasFiles: boolean }): string {
  const { parameters, ramdisks, hasFiles } = o
  const command_line = parameters.map(renderKernelParameter).join(' ')
  if (command_line.length > COMMAND_LINE_LIMIT) {
    throw new PxeError(
      `The kernel's command line has ${command_line.length} characters: it takes ${COMMAND_LINE_LIMIT}. Shorten it.`,
    )
  }
  const archives = Array.from({ length: ramdisks }, (_, index) => `/rackstrap/${fileName(index + 1)}`)
  // GRUB puts double quotes around a word that has blanks.
  const words = parameters.map(([key, value]) => (value === '' ? key : `${key}=${value}`))
  return [
    'echo "Rackstrap: this machine boots the deploy ramdisk from virtual media."',
    `linux /rackstrap/kernel ${words.map(quoted).join(' ')}`,
    `initrd ${[...archives, ...(hasFiles ? ['/rackstrap/machine'] : [])].join(' ')}`,
    'boot',
    '',
  ].join('\n')
}

/** In single quotes GRUB takes everything as it stands; the quote itself no parameter has. GRUB manual, section 6.1. */
const quoted = (word: string) => `'${word}'`
