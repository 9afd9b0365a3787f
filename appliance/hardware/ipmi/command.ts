/** How ipmitool is started: its arguments, and what must not be among them. Starts nothing itself. */
import { join } from 'node:path'
import process from 'node:process'
import { confined } from '@appliance/ground/confine'
import type { IpmiAccess } from './access.ts'

/**
 * ipmitool looks under $HOME for a list of manufacturers before it parses /usr/share's 4 MB: ours is empty, and saves
 * 20 of 30 ms.
 */
const HOME = join(import.meta.dirname, 'ipmitool-home')

/** What to spawn, with this environment and no other. */
export type Command = { program: string; args: string[]; env: Record<string, string | undefined> }
type What = {
  /** Of the BMC: resolved, and looked at. */
  address: string
  /** undefined: IPMI 1.5 has none. */
  suite: string | undefined
  args: readonly string[]
  /** Files that it may read, beside its own. */
  reads?: readonly string[]
}

export function commandOf(access: IpmiAccess, { address, suite, args, reads = [] }: What): Command {
  const to = access.args.map((arg, index) => (access.args[index - 1] === '-H' ? address : arg))
  const suiteArgs = suite === undefined ? [] : ['-C', suite]
  const [program, programArgs] = withKgKey(access, [...to, ...suiteArgs, '-E', ...args])
  const [file, all] = confined(program, programArgs, { reads: [HOME, ...reads] })
  return {
    program: file,
    args: all,
    // -E reads IPMI_PASSWORD; an empty one is the null password, without a prompt.
    env: { IPMI_PASSWORD: access.password, ...kgKeyIn(access), LC_ALL: 'C', HOME, PATH: process.env.PATH },
  }
}

/**
 * ipmitool reads a Kg key from its environment with -K. A key has any bytes, which Node would write there as UTF-8: a
 * shell makes them of octal digits. Others can read a command line, and an environment nobody else can.
 */
const WITH_KG_KEY =
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a parameter of the shell
  'k=$(printf %b "$KG_KEY"X); IPMI_KGKEY=${k%X}; export IPMI_KGKEY; unset KG_KEY k; exec ipmitool -K "$@"'
const withKgKey = ({ kg_key }: IpmiAccess, args: readonly string[]): [string, readonly string[]] =>
  kg_key === '' ? ['ipmitool', args] : ['sh', ['-c', WITH_KG_KEY, 'sh', ...args]]

function kgKeyIn({ kg_key }: IpmiAccess): Record<string, string> {
  if (kg_key === '') return {}
  const octal = [...Buffer.from(kg_key, 'hex')].map((byte) => `\\0${byte.toString(8).padStart(3, '0')}`)
  return { KG_KEY: octal.join('') }
}
