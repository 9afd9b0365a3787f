/** `rackstrap user ...`: who may log in to the API. Works on the file of users; the appliance reads it anew. */
import process from 'node:process'
import { createInterface } from 'node:readline'
import { isatty } from 'node:tty'
import { type Command, Option } from 'commander'
import { ROLES, type Role } from '../access/caller.ts'
import { forgetFirstPassword, listUsers, removeUser, setUser } from '../access/change-users.ts'
import { isRole } from '../access/users.ts'
import { InvalidParameterValue } from '../errors.ts'
import { createLog } from '../log.ts'
import { thisBox } from '../serve/box.ts'
import { loadSettings } from '../serve/settings.ts'
import { jsonOf, print } from './output.ts'
import { renderTable } from './table.ts'

type ConfigOption = { config?: string }

const configOf = async (path: string | undefined) =>
  (await loadSettings(path, thisBox, () => createLog('error', () => {}))).config

async function add(name: string, { config: path, role }: ConfigOption & { role: Role }): Promise<void> {
  const { DEFAULT, api } = await configOf(path)
  const isNew = await setUser(DEFAULT.http_basic_auth_user_file, name, { password: await askPassword(name), role })
  await forgetFirstPassword(name, DEFAULT.state_path)
  const configured = roleIn(api.roles, name)
  const isOther = configured !== undefined && configured !== role
  if (isOther) process.stderr.write(`[api] roles gives ${name} the role ${configured}, which goes before this one.\n`)
  if (DEFAULT.auth_strategy === 'noauth')
    process.stderr.write('[DEFAULT] auth_strategy is noauth: nobody is asked to log in. Set it to http_basic.\n')
  await print(`User ${name} ${isNew ? 'added' : 'changed'}, role ${role}.\n`)
}

const roleIn = (entries: readonly string[], name: string): Role | undefined => {
  const role = entries.find((entry) => entry.startsWith(`${name}:`))?.slice(name.length + 1)
  return role !== undefined && isRole(role) ? role : undefined
}

async function remove(name: string, { config: path }: ConfigOption): Promise<void> {
  const { DEFAULT } = await configOf(path)
  await removeUser(DEFAULT.http_basic_auth_user_file, name)
  await forgetFirstPassword(name, DEFAULT.state_path)
  const left = await listUsers(DEFAULT.http_basic_auth_user_file)
  await print(`User ${name} removed.\n`)
  if (left.length === 0)
    process.stderr.write(
      'No user is left: nobody can log in any more, but over the unix socket api.sock in state_path.\n',
    )
}

async function list({ config: path, json }: ConfigOption & { json?: boolean }): Promise<void> {
  const { DEFAULT, api } = await configOf(path)
  const users = (await listUsers(DEFAULT.http_basic_auth_user_file)).map(({ name, role }) => ({
    name,
    role: roleIn(api.roles, name) ?? role ?? 'admin',
  }))
  await print(json ? jsonOf(users) : renderTable([['name', 'role'], ...users.map((user) => [user.name, user.role])]))
}

/** Twice on a terminal, not shown; else the first line of standard input. Never an argument: everybody sees those. */
async function askPassword(name: string): Promise<string> {
  if (!isatty(0)) {
    for await (const line of createInterface({ input: process.stdin })) return line
    throw new InvalidParameterValue(
      `Standard input has no password for ${name}: expected it on one line, or a terminal to ask on.`,
    )
  }
  const first = await readHidden(`Password of ${name}: `)
  if (first === (await readHidden('Once more: '))) return first
  throw new InvalidParameterValue('The two are not the same. Nothing was changed.')
}

const END_OF_TEXT = '\u0003'
const END_OF_TRANSMISSION = '\u0004'
const DELETE = '\u007f'

/** @throws InvalidParameterValue  it was broken off */
async function readHidden(prompt: string): Promise<string> {
  const { stdin, stderr } = process
  stderr.write(prompt)
  stdin.setRawMode(true).setEncoding('utf8').resume()
  let text = ''
  try {
    for await (const keys of stdin.iterator({ destroyOnReturn: false })) {
      for (const key of String(keys)) {
        if (key === '\r' || key === '\n') return text
        if (key === END_OF_TEXT || key === END_OF_TRANSMISSION)
          throw new InvalidParameterValue('No password was given. Nothing was changed.')
        text = key === DELETE || key === '\b' ? text.slice(0, -1) : `${text}${key}`
      }
    }
    throw new InvalidParameterValue('No password was given. Nothing was changed.')
  } finally {
    stdin.setRawMode(false).pause()
    stderr.write('\n')
  }
}

export function addUserCommands(user: Command, configOption: readonly [string, string]): void {
  user
    .command('add <name>')
    .description('make a user, or give it another password and role; the password is asked for, or read from stdin')
    .addOption(new Option('--role <role>', 'what it may do').choices(ROLES).default('operator'))
    .option(...configOption)
    .action(add)
  user
    .command('remove <name>')
    .description('take a user away')
    .option(...configOption)
    .action(remove)
  user
    .command('list')
    .description('the users, and what each may do')
    .option('--json', 'as JSON')
    .option(...configOption)
    .action(list)
}
