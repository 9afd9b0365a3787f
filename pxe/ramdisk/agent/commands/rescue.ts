/**
 * Extension `rescue`: somebody may log in to this ramdisk by ssh, with a password, and the agent stays away from then
 * on. Tells the password to nobody.
 * @source ironic-python-agent extensions/rescue.py; ironic-python-agent-builder, finalize_rescue.bash
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AgentError } from '../errors.ts'
import type { CommandDefinition, Params } from '../protocol/commands.ts'
import type { AgentContext } from './context.ts'

const USER = 'rescue'
/** Its own name for root: it is there to mend, and the ramdisk has nobody to protect from it. */
const ACCOUNT = `${USER}:x:0:0:rescue:/root:/bin/sh`
/** As crypt(5) writes it: no colon and no line end, which would make another account of it. */
const HASH = /^\$[0-9a-z]{1,8}\$[./A-Za-z0-9$=,-]{1,240}$/
const PASSWORD_LIMIT = 256
const KEY = 'etc/dropbear/ed25519'
const SSH_PORT = 22
/** As Ironic's agent leaves it for those who look whether this is a rescue. */
const MARKER = 'etc/.rescued'

export const rescueCommands = (agent: AgentContext): Record<string, CommandDefinition> => ({
  finalize_rescue: { kind: 'sync', validate: checkPassword, run: (params) => finalizeRescue(agent, params) },
})

/** @throws AgentError  without a word of what was given */
function checkPassword({ rescue_password, hashed }: Params): void {
  const isText = typeof rescue_password === 'string' && rescue_password !== ''
  if (hashed === true && !(isText && HASH.test(rescue_password))) {
    throw wrong('rescue_password is no hash as crypt(5) writes it, such as $5$salt$hash')
  }
  if (!isText || rescue_password.length > PASSWORD_LIMIT || /[\0\r\n]/.test(rescue_password)) {
    throw wrong(`rescue_password is no line of 1 to ${PASSWORD_LIMIT} characters`)
  }
}

const wrong = (found: string) => new AgentError('InvalidCommandParamsError', `${found}. Rescue again with another one.`)

async function finalizeRescue(agent: AgentContext, { rescue_password, hashed }: Params): Promise<void> {
  const { root, programs, screen } = agent
  if (!existsSync(join(root, 'usr/sbin/dropbear'))) {
    const why = 'This ramdisk has no ssh server, as it was booted without its layer rackstrap-rescue'
    throw new AgentError(
      'CommandExecutionError',
      `${why}. Build it again with "rackstrap ramdisk build", and rescue again.`,
    )
  }
  const hash = hashed === true ? String(rescue_password) : await hashOf(agent, String(rescue_password))
  await addLine(join(root, 'etc/passwd'), ACCOUNT, 0o644)
  await addLine(join(root, 'etc/shadow'), `${USER}:${hash}:::::::`, 0o600)
  await mkdir(join(root, 'etc/dropbear'), { recursive: true })
  const key = join(root, KEY)
  if (!existsSync(key)) await programs.run('dropbearkey', ['-t', 'ed25519', '-f', key])
  const told = await programs.run('dropbearkey', ['-y', '-f', key])
  await programs.run('dropbear', ['-r', key, '-p', String(SSH_PORT), '-P', join(root, 'run/dropbear.pid')])
  await writeFile(join(root, MARKER), '')
  // Whoever logs in must not speak to the appliance in the agent's name.
  await rm(join(root, 'run/agent/identity.json'), { force: true })
  const [fingerprint = 'unknown'] = /\bSHA256:\S+/.exec(told) ?? []
  screen.say(
    `In rescue: ssh ${USER}@ADDRESS of this machine, with the password that was given. Host key ${fingerprint}`,
  )
  agent.handOver()
}

/** By a salt of its own. The password is in no list of processes. */
async function hashOf({ programs }: AgentContext, password: string): Promise<string> {
  const hash = (await programs.run('busybox', ['mkpasswd', '-m', 'sha256', '-P', '0'], { input: password })).trim()
  if (HASH.test(hash)) return hash
  throw new AgentError('CommandExecutionError', 'The password could not be hashed: rescue again with a hash.')
}

/** In the place of one of that name; the file appears whole. */
async function addLine(file: string, line: string, mode: number): Promise<void> {
  const before = await readFile(file, 'utf8').catch(() => '')
  const others = before.split('\n').filter((other) => other !== '' && !other.startsWith(`${USER}:`))
  await writeFile(`${file}.new`, `${[...others, line].join('\n')}\n`, { mode })
  await rename(`${file}.new`, file)
}
