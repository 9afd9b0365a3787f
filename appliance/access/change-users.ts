/** Changes the file of users and the one of their roles. Each appears whole, and keeps its owner and mode. */
import { randomBytes } from 'node:crypto'
import { mkdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { unlessMissing } from '@appliance/ground/errno'
import { makeFile, readIfThere, replaceFile } from '@appliance/ground/files'
import { BCRYPT_BYTES, hashPassword } from '@appliance/ground/passwords'
import { ApplianceError, InvalidParameterValue } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Role } from './caller.ts'
import { isUserName, parseRoles, parseUsers, rolesFileOf } from './users.ts'

const FIRST_USER = 'admin'
const LEAST_LENGTH = 8

/** @throws InvalidParameterValue */
function requireUser(name: string, password: string): void {
  if (!isUserName(name))
    throw new InvalidParameterValue(
      `'${name}' cannot be a name of a user: expected at most 64 letters, digits and . _ @ + -.`,
    )
  if (password.length < LEAST_LENGTH || Buffer.byteLength(password) > BCRYPT_BYTES || /[\n\0]/.test(password))
    throw new InvalidParameterValue(
      `The password cannot be used: expected ${LEAST_LENGTH} characters at least, and ${BCRYPT_BYTES} bytes at most (bcrypt takes no more into account), all on one line.`,
    )
}

/** Makes the user, or gives it another password and role. @returns whether there was none. @throws ApplianceError */
export async function setUser(path: string, name: string, { password, role }: { password: string; role: Role }) {
  requireUser(name, password)
  const text = (await readIfThere(path)) ?? ''
  const isNew = !parseUsers(text, path).has(name)
  const hash = await hashPassword(password)
  // The role first: a user without one is an administrator.
  await setLine(rolesFileOf(path), name, role)
  await setLine(path, name, hash)
  return isNew
}

/** @throws InvalidParameterValue  there is no such user */
export async function removeUser(path: string, name: string): Promise<void> {
  if (!parseUsers((await readIfThere(path)) ?? '', path).has(name))
    throw new InvalidParameterValue(`There is no user ${name} in ${path}.`)
  await setLine(path, name, undefined)
  await setLine(rolesFileOf(path), name, undefined)
}

/** @returns names with their role, undefined: the file has none */
export async function listUsers(path: string): Promise<{ name: string; role: string | undefined }[]> {
  const users = parseUsers((await readIfThere(path)) ?? '', path)
  const roles = parseRoles((await readIfThere(rolesFileOf(path))) ?? '', rolesFileOf(path))
  return [...users.keys()].map((name) => ({ name, role: roles.get(name) }))
}

async function setLine(path: string, name: string, value: string | undefined): Promise<void> {
  const lines = ((await readIfThere(path)) ?? '').split('\n').filter((line) => line !== '')
  const others = lines.filter((line) => line.trim().split(':')[0] !== name)
  const text = [...others, ...(value === undefined ? [] : [`${name}:${value}`])].map((line) => `${line}\n`).join('')
  await replaceKept(path, text)
}

/** Root may write for the account of the service: the file stays that account's. */
async function replaceKept(path: string, text: string): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true, mode: 0o750 })
  const found = await stat(path).catch(unlessMissing)
  const owner = found ?? (await stat(folder))
  const content = Buffer.from(text)
  const mode = found ? found.mode & 0o777 : 0o600
  await replaceFile(
    path,
    async (file) => {
      if (process.getuid?.() === 0) await file.chown(owner.uid, owner.gid)
      await file.chmod(mode)
      await file.writeFile(content)
    },
    { mode },
  )
}

/** Where the first administrator's password is, until it has another. */
const firstPasswordFile = (state_path: string): string => join(state_path, 'admin-password')

/**
 * Makes one administrator when there is no file of users yet.
 * @returns whether it did. @throws ApplianceError
 */
export async function makeFirstUser(path: string, state_path: string, log: Log): Promise<boolean> {
  if ((await readIfThere(path)) !== undefined) return false
  const password_file = firstPasswordFile(state_path)
  try {
    // A start that was cut short has left one behind: it is the one that counts then.
    const password = (await makeFile(password_file, `${randomBytes(18).toString('base64url')}\n`, 0o600)).trim()
    await setUser(path, FIRST_USER, { password, role: 'admin' })
  } catch (error) {
    throw new ApplianceError(
      `There is no ${path} ([DEFAULT] http_basic_auth_user_file), and it cannot be made: ${(error as Error).message}. Make it: rackstrap user add admin --role admin.`,
      { cause: error },
    )
  }
  log.warn('the first user was made; its password is in a file', { user: FIRST_USER, file: password_file })
  return true
}

/** Once the first administrator has another password, or is gone. */
export async function forgetFirstPassword(name: string, state_path: string): Promise<void> {
  if (name === FIRST_USER) await rm(firstPasswordFile(state_path), { force: true })
}
