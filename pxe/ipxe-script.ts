/** The scripts that machines boot by. Everything a record brings in is escaped or refused here. */
import { PxeError } from './config.ts'
import {
  COMMAND_LINE_LIMIT,
  type KernelParameter,
  parseKernelParameters,
  renderKernelParameter,
} from './kernel-parameters.ts'
import type { MachineBoot } from './machine-boot.ts'
import { MACHINE_FILES } from './machine-files.ts'
import { isLeftOut } from './own-layers.ts'
import type { RamdiskFiles } from './ramdisk-files.ts'
import { screenText } from './screen-text.ts'

/** A fetch without a byte for this long has failed; iPXE alone would wait for ever. */
const FETCH_TIMEOUT_MS = 60_000
/** With pauses of 1, 2, ... s between them: 45 s in all. */
const FETCH_ATTEMPTS = 10
const READING_TIME_MS = 15_000
const REBOOT_AFTER_MS = 30_000

export type ScriptContext = {
  http_url: string
  /** Lower case with colons, of the card that asked. */
  mac: string
  ramdisk: RamdiskFiles
}

/**
 * The first script, the same for all: asks for each network card in turn, because only one of them may be enrolled.
 * Each answer sets `verdict`, so that "boot from disk" and "do not know this card" are told from "no answer".
 */
export function renderFirstScript(http_url: string, { discovers = false } = {}): string {
  return lines(
    '#!ipxe',
    '',
    `echo Rackstrap: asking ${http_url} what this machine is to boot.`,
    'set asked-for-each-card yes',
    'set attempt:int32 0',
    '',
    ':start',
    'set netid:int32 -1',
    '',
    ':next',
    'inc netid',
    'isset ${net${netid}/mac} || goto none',
    'clear verdict',
    `chain --timeout ${FETCH_TIMEOUT_MS} ${http_url}/boot/\${net\${netid}/mac:hexhyp} ||`,
    'iseq ${verdict} unknown && goto next ||',
    'iseq ${verdict} disk && exit 1 ||',
    '',
    ...retry('goto start'),
    '',
    ':none',
    ...(discovers ? askToEnroll(http_url) : []),
    'echo No network card of this machine is known: nothing is deployed.',
    `prompt --timeout ${READING_TIME_MS} Going on to the next boot device in ${READING_TIME_MS / 1000} s; press any key to go on now. ||`,
    'exit 1',
    '',
    ...giveUp(`The appliance at ${http_url} did not answer. Is it running, and is the cable in the right port?`),
  )
}

/** By the card that it boots from. Without an answer it goes on. */
const askToEnroll = (http_url: string): string[] => [
  'echo No network card of this machine is known: asking whether it is to be enrolled.',
  `chain --timeout ${FETCH_TIMEOUT_MS} ${http_url}/boot/discover/\${netX/mac:hexhyp} ||`,
]

/** An unknown machine boots the agent once; where that fails, it goes on to its next boot device. @throws PxeError */
export function renderDiscoveryScript(
  { parameters, layers }: { parameters: readonly KernelParameter[]; layers: readonly string[] },
  { http_url, mac, ramdisk }: ScriptContext,
): string {
  const cpios = [...ramdisk.core, ...layersOf(layers, ramdisk)]
  const fetch = (command: string, name: string) =>
    `${command} --timeout ${FETCH_TIMEOUT_MS} --name ${name} ${http_url}/boot/files/${name}`
  return lines(
    '#!ipxe',
    '',
    'echo Rackstrap: this unknown machine boots the agent, which tells what it is made of.',
    'imgfree',
    `${fetch('kernel', ramdisk.kernel)} ${commandLine(parameters, cpios, mac, ramdisk)} || goto leave`,
    ...cpios.map((name) => `${fetch('initrd', name)} || goto leave`),
    'boot ||',
    '',
    ':leave',
    'exit 1',
  )
}

/** What one machine boots. @throws PxeError  a parameter that cannot be carried over, a layer that is not there */
export function renderIpxeScript(boot: MachineBoot, context: ScriptContext): string {
  if (boot.kind === 'agent') return agentScript(boot, context)
  if (boot.kind === 'kernel' || boot.kind === 'iso') return instanceScript(boot)
  return boot.kind === 'disk' ? diskScript(boot) : unknownScript(boot)
}

function agentScript(boot: Extract<MachineBoot, { kind: 'agent' }>, { http_url, mac, ramdisk }: ScriptContext): string {
  const shared = [...ramdisk.core, ...layersOf(boot.layers, ramdisk)]
  const own = boot.files?.length ? [MACHINE_FILES] : []
  const cpios = [...shared, ...own]
  const key = boot.files_key === undefined ? '' : `/${boot.files_key}`
  const url = (name: string) =>
    own.includes(name) ? `${http_url}/boot/${mac.replaceAll(':', '-')}${key}.cpio` : `${http_url}/boot/files/${name}`
  const fetch = (command: string, name: string) =>
    `${command} --timeout ${FETCH_TIMEOUT_MS} --name ${name} ${url(name)}`
  return untilItBoots(boot, 'the deploy ramdisk', [
    `${fetch('kernel', ramdisk.kernel)} ${commandLine(boot.parameters, cpios, mac, ramdisk)} || goto retry`,
    ...cpios.map((name) => `${fetch('initrd', name)} || goto retry`),
    'boot || goto give-up',
  ])
}

function instanceScript(boot: Extract<MachineBoot, { kind: 'kernel' | 'iso' }>): string {
  if (boot.missing !== undefined) throw new PxeError(boot.missing)
  return boot.kind === 'kernel' ? kernelScript(boot) : isoScript(boot)
}

/** @source Ironic ipxe_config.template :boot_ramdisk */
function kernelScript(boot: Extract<MachineBoot, { kind: 'kernel' }>): string {
  const ramdisks = boot.ramdisk_urls.map((url, index) => ({ name: `ramdisk-${index}`, url: plainUrl(url) }))
  const initrds = ramdisks.map(({ name }): KernelParameter => ['initrd', name])
  const fetch = `--timeout ${FETCH_TIMEOUT_MS} --name`
  return untilItBoots(boot, 'the kernel of its instance', [
    `${['kernel', fetch, 'kernel', plainUrl(boot.kernel_url), textOf([...boot.parameters, ...initrds])].join(' ')} || goto retry`,
    ...ramdisks.map(({ name, url }) => `initrd ${fetch} ${name} ${url} || goto retry`),
    'boot || goto give-up',
  ])
}

/**
 * iPXE's BIOS starts no boot image that emulates a floppy disk (src/arch/x86/interface/pcbios/int13.c,
 * int13_load_eltorito: ENOTSUP), but a floppy disk. UEFI knows no emulation.
 * @source Ironic ipxe_config.template, boot_iso_url
 */
function isoScript(boot: Extract<MachineBoot, { kind: 'iso' }>): string {
  const iso = `sanboot ${plainUrl(boot.iso_url)} || goto retry`
  if (boot.floppy_url === undefined) return untilItBoots(boot, 'the ISO of its instance', [iso])
  return untilItBoots(boot, 'the ISO of its instance', [
    'iseq ${platform} efi || goto floppy',
    iso,
    ':floppy',
    `sanboot --drive 0x00 ${plainUrl(boot.floppy_url)} || goto retry`,
  ])
}

/** Fetched until it is there, and started. */
function untilItBoots(
  boot: Exclude<MachineBoot, { kind: 'unknown' }>,
  what: string,
  commands: readonly string[],
): string {
  return lines(
    '#!ipxe',
    '',
    `set verdict ${boot.kind}`,
    `echo Rackstrap: ${nodeOf(boot)} boots ${what}.`,
    'set attempt:int32 0',
    '',
    ':fetch',
    'imgfree',
    ...commands,
    '',
    ':retry',
    ...retry('goto fetch'),
    '',
    ...giveUp(`${what[0]?.toUpperCase()}${what.slice(1)} could not be fetched or started; the reason is above.`),
  )
}

/** An address that iPXE takes as it stands: one word, nothing that it expands. @throws PxeError */
function plainUrl(url: string): string {
  if (/^https?:\/\/[\w.:[\]-]+\/[\w./~%@:+=,-]*$/.test(url)) return url
  throw new PxeError(`The address ${screenText(url)} cannot stand in a boot script: plain characters are expected.`)
}

/**
 * BIOS: disk 0x80 at once. UEFI: back to the firmware, which knows its boot entries; with an error, because after
 * success it would stay in its menu instead of trying the next entry (UEFI 2.10 section 3.1.1).
 */
function diskScript(boot: Extract<MachineBoot, { kind: 'disk' }>): string {
  return lines(
    '#!ipxe',
    '',
    'set verdict disk',
    `echo Rackstrap: ${nodeOf(boot)} boots from its own disk: ${screenText(boot.why)}`,
    'iseq ${platform} efi && goto leave ||',
    'sanboot --no-describe --drive 0x80 ||',
    'echo The first disk does not boot; leaving it to the next boot device of the firmware.',
    '',
    ':leave',
    // For the first script no error: iPXE would show its number. It leaves with one itself.
    'isset ${asked-for-each-card} && exit 0 || exit 1',
  )
}

function unknownScript({ mac }: Extract<MachineBoot, { kind: 'unknown' }>): string {
  return lines(
    '#!ipxe',
    '',
    'set verdict unknown',
    `echo Rackstrap: no node has the network card ${mac}. To enroll it:`,
    `echo baremetal port create --node NODE ${mac}`,
    'isset ${asked-for-each-card} && exit 0 ||',
    `prompt --timeout ${READING_TIME_MS} Going on to the next boot device in ${READING_TIME_MS / 1000} s; press any key to go on now. ||`,
    'exit 1',
  )
}

/**
 * A machine that is to boot something of this box and cannot: its screen says why, and it asks again after a reboot.
 */
export function renderRefusal(
  boot: Pick<Exclude<MachineBoot, { kind: 'unknown' }>, 'kind' | 'node' | 'name'>,
  why: string,
): string {
  const cannot = boot.kind === 'agent' ? 'cannot be deployed' : 'cannot boot its instance'
  return lines(
    '#!ipxe',
    '',
    `set verdict ${boot.kind}`,
    ...giveUp(`Rackstrap: ${nodeOf(boot)} ${cannot}. ${screenText(why)}`),
  )
}

function commandLine(
  parameters: readonly KernelParameter[],
  cpios: readonly string[],
  mac: string,
  ramdisk: RamdiskFiles,
): string {
  const all = [...parseKernelParameters(ramdisk.kernel_params), ...parameters]
  const bootif: KernelParameter[] = all.some(([key]) => key === 'BOOTIF') ? [] : [['BOOTIF', mac]]
  // The kernel's EFI stub loads what initrd= names; on BIOS iPXE passes them all by itself.
  const initrds = cpios.map((name): KernelParameter => ['initrd', name])
  return textOf([...all, ...bootif, ...initrds])
}

function textOf(parameters: readonly KernelParameter[]): string {
  const text = parameters.map(renderKernelParameter).join(' ')
  if (text.length <= COMMAND_LINE_LIMIT) return text
  throw new PxeError(
    `The kernel's command line has ${text.length} characters: it takes ${COMMAND_LINE_LIMIT}. Shorten it.`,
  )
}

function layersOf(wanted: readonly string[], files: RamdiskFiles): string[] {
  const { layers, takes_layers } = files
  if (!takes_layers) return []
  return wanted
    .filter((name) => !isLeftOut(files, name))
    .map((name) => {
      const file = Object.hasOwn(layers, name) ? layers[name] : undefined
      if (file !== undefined) return file
      const there = Object.keys(layers).join(', ') || 'none'
      throw new PxeError(`The deploy ramdisk has no layer "${name}" (there: ${there}). Build it again with that layer.`)
    })
}

/** Goes on at `again` after a growing pause, or at :give-up. */
function retry(again: string): string[] {
  return [
    'inc attempt',
    `iseq \${attempt} ${FETCH_ATTEMPTS} && goto give-up ||`,
    'echo Trying again in ${attempt} s.',
    'sleep ${attempt}',
    again,
  ]
}

function giveUp(message: string): string[] {
  return [
    ':give-up',
    `echo ${message}`,
    `prompt --timeout ${REBOOT_AFTER_MS} Rebooting in ${REBOOT_AFTER_MS / 1000} s; press any key to reboot now. ||`,
    'reboot',
  ]
}

const nodeOf = ({ node, name }: { node: string; name: string }) =>
  name && name !== node ? `node ${screenText(name)} (${screenText(node)})` : `node ${screenText(node)}`
const lines = (...text: string[]) => `${text.join('\n')}\n`
