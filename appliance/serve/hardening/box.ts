/** The steps of SECURITY.md that are about the box, and not about the configuration. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { unlessMissing } from '@appliance/ground/errno'
import { nearest } from '../check/owners.ts'
import { open, type Step, taken, unknown } from './step.ts'

const SHIPPED_UNIT = join(import.meta.dirname, '../../../systemd/rackstrap.service')
const INSTALLED_UNIT = '/etc/systemd/system/rackstrap.service'
const ROOT = 0
/** Bits of a device number. @source Linux, include/linux/kdev_t.h, new_decode_dev */
const MINOR_LOW = 0xff
const MINOR_HIGH = 0xfff00
const MAJOR_SHIFT = 8
const MINOR_SHIFT = 12
const MAJOR = 0xfff
const LAYERS_LIMIT = 16

/** Every directive of the unit but its places, which an operator may have changed. */
const directivesOf = (unit: string): string[] =>
  unit
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^[A-Z]\w*=/.test(line) && !/^(Exec\w*|Documentation)=/.test(line))

export const unitStep = (installed = INSTALLED_UNIT, shipped = SHIPPED_UNIT): Step => ({
  name: 'Run it by its unit',
  async look() {
    const unit = await textOf(installed)
    if (unit === undefined)
      return open(`${installed} is not there`, 'Install it, as "On a real rack" of README.md does.')
    const has = new Set(directivesOf(unit))
    const missing = directivesOf(await readFile(shipped, 'utf8')).filter((directive) => !has.has(directive))
    if (missing.length === 0) return taken(`${installed} has all that this version's unit has`)
    return open(`${installed} lacks ${missing.join(', ')}`, `Install systemd/rackstrap.service anew.`)
  },
})

export const accountStep: Step = {
  name: 'An account of its own',
  look({ config }) {
    const { path, stats } = nearest(config.DEFAULT.state_path)
    if (!stats) return unknown(`${path} cannot be looked at`)
    if (stats.uid !== ROOT) return taken(`${path} belongs to account ${stats.uid}`)
    return open(`${path} belongs to root`, 'Run the service as the account rackstrap: systemd/README.md says how.')
  },
}

export const forwardingStep = (proc = '/proc'): Step => ({
  name: 'No way through the box',
  async look() {
    const switches = ['net/ipv4/ip_forward', 'net/ipv6/conf/all/forwarding']
    const texts = await Promise.all(switches.map((name) => textOf(join(proc, 'sys', name))))
    const on = switches.filter((_, index) => texts[index]?.trim() === '1')
    if (on.length === 0) return taken('the box forwards nothing')
    return open(
      `the box forwards packets (${on.join(', ')}), so machines reach the site through it`,
      'Switch it off with sysctl, or have nftables let through only what you mean to.',
    )
  },
})

export const encryptionStep: Step = {
  name: 'The disk is encrypted',
  async look({ config }) {
    const { state_path } = config.DEFAULT
    const { path, stats } = nearest(state_path)
    if (!stats) return unknown(`${path} cannot be looked at`)
    const device = deviceOf(stats.dev)
    const answer = await isEncrypted(join('/sys/dev/block', device))
    if (answer === undefined) return unknown(`${path} is on device ${device}, which is no disk that the kernel lists`)
    if (answer) return taken(`${path} is on an encrypted device`)
    return open(
      `${path} is on a device without encryption: whoever takes the box reads the secrets in it`,
      "Put it on a LUKS volume, for instance one that the box's TPM opens (systemd-cryptenroll).",
    )
  },
}

export const deviceOf = (dev: number): string =>
  `${Math.floor(dev / 2 ** MAJOR_SHIFT) & MAJOR}:${(dev & MINOR_LOW) | ((dev / 2 ** MINOR_SHIFT) & MINOR_HIGH)}`

/** @param folder  of a block device in sysfs. @returns undefined: there is none */
export async function isEncrypted(folder: string, layers = LAYERS_LIMIT): Promise<boolean | undefined> {
  const uuid = await textOf(join(folder, 'dm/uuid'))
  if (uuid?.startsWith('CRYPT-')) return true
  const below = await readdir(join(folder, 'slaves')).catch(unlessMissing)
  if (below === undefined) return (await textOf(join(folder, 'partition'))) === undefined ? undefined : false
  if (below.length === 0 || layers === 0) return false
  const answers = await Promise.all(below.map((name) => isEncrypted(join(folder, 'slaves', name), layers - 1)))
  return answers.every((one) => one === true)
}

const textOf = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(unlessMissing)
