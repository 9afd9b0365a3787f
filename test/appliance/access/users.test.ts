/** The files of users, on a real disk, with real hashes. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { listUsers, makeFirstUser, removeUser, setUser } from '../../../appliance/access/change-users.ts'
import { Login } from '../../../appliance/access/login.ts'
import { parseUsers, problemOfRoles, Users } from '../../../appliance/access/users.ts'
import { keptLog } from '../records/state-folder.ts'

const ADDRESS = '192.0.2.1'
const basic = (name: string, password: string) => `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'rackstrap-users-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

describe('users of http_basic', () => {
  it('are made, changed and removed in a file as htpasswd has it, with their role beside it', async (t) => {
    const path = join(folderOf(t), 'htpasswd')

    assert.equal(await setUser(path, 'alice', { password: 'secret words', role: 'operator' }), true)
    assert.equal(await setUser(path, 'bob', { password: 'other words', role: 'observer' }), true)
    assert.equal(await setUser(path, 'alice', { password: 'new words', role: 'admin' }), false)
    assert.deepEqual(await listUsers(path), [
      { name: 'bob', role: 'observer' },
      { name: 'alice', role: 'admin' },
    ])
    assert.match(readFileSync(path, 'utf8'), /^bob:\$2y\$10\$[./A-Za-z0-9]{53}\nalice:\$2y\$10\$[./A-Za-z0-9]{53}\n$/)
    assert.deepEqual([statSync(path).mode & 0o777, statSync(`${path}.roles`).mode & 0o777], [0o600, 0o600])

    await removeUser(path, 'bob')

    assert.deepEqual(await listUsers(path), [{ name: 'alice', role: 'admin' }])
    assert.equal(readFileSync(`${path}.roles`, 'utf8'), 'alice:admin\n')
    await assert.rejects(removeUser(path, 'bob'), { message: `There is no user bob in ${path}.` })
  })

  it('keep the mode of a file that is there', async (t) => {
    const path = join(folderOf(t), 'htpasswd')
    writeFileSync(path, '# of the site\n', { mode: 0o640 })

    await setUser(path, 'alice', { password: 'secret words', role: 'admin' })

    assert.equal(statSync(path).mode & 0o777, 0o640)
    assert.match(readFileSync(path, 'utf8'), /^# of the site\nalice:/)
  })

  it('log in with the password of the file, and by what it says a moment later', async (t) => {
    const path = join(folderOf(t), 'htpasswd')
    const { log, lines } = keptLog()
    await setUser(path, 'alice', { password: 'secret words', role: 'operator' })
    const login = new Login(await Users.open(path, ['carol:observer'], log), log)

    assert.deepEqual(await login.check(basic('alice', 'secret words'), ADDRESS), { user: 'alice', role: 'operator' })
    await setUser(path, 'alice', { password: 'other words', role: 'observer' })
    await setUser(path, 'carol', { password: 'carols words', role: 'admin' })

    await assert.rejects(login.check(basic('alice', 'secret words'), ADDRESS), { code: 401 })
    assert.deepEqual(await login.check(basic('alice', 'other words'), ADDRESS), { user: 'alice', role: 'observer' })
    assert.deepEqual(await login.check(basic('carol', 'carols words'), ADDRESS), { user: 'carol', role: 'observer' })
    await assert.rejects(login.check(basic('secret words', 'x'), ADDRESS), { code: 401 })
    assert.deepEqual(
      lines.map(({ message, user, address }) => ({ message, user, address })),
      [
        { message: 'log-in refused', user: 'alice', address: ADDRESS },
        { message: 'log-in refused', user: 'unknown', address: ADDRESS },
      ],
    )
  })

  it('stay in force while the file cannot be read', async (t) => {
    const path = join(folderOf(t), 'htpasswd')
    const { log, lines } = keptLog()
    await setUser(path, 'alice', { password: 'secret words', role: 'operator' })
    const login = new Login(await Users.open(path, [], log), log)

    writeFileSync(path, 'alice:plain\n')

    assert.deepEqual(await login.check(basic('alice', 'secret words'), ADDRESS), { user: 'alice', role: 'operator' })
    assert.match(String(lines[0]?.reason), /:1: the password of alice is not hashed by bcrypt/)
  })

  it('without a role are administrators, as every user is in Ironic', async (t) => {
    const path = join(folderOf(t), 'htpasswd')
    const { log } = keptLog()
    await setUser(path, 'alice', { password: 'secret words', role: 'observer' })
    rmSync(`${path}.roles`)

    const { role } = await new Login(await Users.open(path, [], log), log).check(
      basic('alice', 'secret words'),
      ADDRESS,
    )

    assert.equal(role, 'admin')
  })

  it('become no administrators by roles that cannot be read, and are told so', async (t) => {
    const path = join(folderOf(t), 'htpasswd')
    const { log, lines } = keptLog()
    await setUser(path, 'alice', { password: 'secret words', role: 'observer' })
    renameSync(`${path}.roles`, `${path}.kept`)
    const login = new Login(await Users.open(path, [], log), log)
    const check = () => login.check(basic('alice', 'secret words'), ADDRESS)
    assert.equal((await check()).role, 'admin')

    mkdirSync(`${path}.roles`)
    const unreadable = await check().catch((error) => error)
    const again = await check().catch((error) => error)
    rmSync(`${path}.roles`, { recursive: true })
    renameSync(`${path}.kept`, `${path}.roles`)

    assert.equal(
      unreadable.message,
      'The role of alice cannot be read; the log says why. Mend the file of roles beside [DEFAULT] http_basic_auth_user_file, or name the role in [api] roles.',
    )
    assert.deepEqual([unreadable.code, again.code, unreadable.headers], [503, 503, { 'retry-after': '5' }])
    assert.equal((await check()).role, 'observer')
    assert.equal(lines.length, 1, 'told once')
  })

  it('whose file of roles goes away are counted in a warning', async (t) => {
    const path = join(folderOf(t), 'htpasswd')
    const { log, lines } = keptLog()
    await setUser(path, 'alice', { password: 'secret words', role: 'observer' })
    const login = new Login(await Users.open(path, [], log), log)
    rmSync(`${path}.roles`)

    await login.check(basic('alice', 'secret words'), ADDRESS)

    assert.deepEqual(
      lines.map(({ level, message, file, users }) => ({ level, message, file, users })),
      [
        {
          ...{ level: 'warn', file: `${path}.roles`, users: 1 },
          message: 'the roles of users are gone; who has none in [api] roles is an administrator',
        },
      ],
    )
  })

  it('are refused with what is wrong with the header, as Ironic says it', async (t) => {
    const path = join(folderOf(t), 'htpasswd')
    const { log } = keptLog()
    writeFileSync(path, '')
    const login = new Login(await Users.open(path, [], log), log)

    for (const [header, code, message] of [
      [undefined, 401, 'Authorization required'],
      ['Basic', 400, 'Could not parse Authorization header'],
      ['Bearer abc', 400, 'Unsupported authorization type "Bearer"'],
      ['Basic ***', 400, 'Could not decode authorization token'],
      ['Basic YWJj', 400, 'Could not decode authorization token'],
      [basic('alice', 'x'), 401, 'Incorrect username or password'],
    ] as const)
      await assert.rejects(login.check(header, ADDRESS), { code, message }, String(header))
  })
})

describe('a password of a user', () => {
  it('has 8 characters and 72 bytes, in one line', async (t) => {
    const path = join(folderOf(t), 'htpasswd')

    for (const password of ['short', 'x'.repeat(73), 'two\nlines of it', ''])
      await assert.rejects(setUser(path, 'alice', { password, role: 'admin' }), /The password cannot be used/)
    await assert.rejects(setUser(path, 'a:b', { password: 'secret words', role: 'admin' }), /cannot be a name/)
  })
})

describe('the files of users', () => {
  it('are refused with file and line', () => {
    assert.throws(() => parseUsers('a:{SHA}x', 'f'), /^ApplianceError: f:1: the password of a is not hashed by bcrypt/)
    assert.throws(() => parseUsers('\nnothing', 'f'), /f:2: expected NAME:HASH/)
    assert.equal(problemOfRoles(['a:admin', 'b:observer']), undefined)
    assert.equal(
      problemOfRoles(['a:root']),
      '[api] roles has "a:root": expected NAME:ROLE, the role one of admin, operator, observer.',
    )
  })
})

describe('the first user', () => {
  it('is made once, with a password in a file of the owner, and not when there is a file of users', async (t) => {
    const folder = folderOf(t)
    const path = join(folder, 'htpasswd')
    const { log, lines } = keptLog()

    assert.equal(await makeFirstUser(path, folder, log), true)
    assert.equal(await makeFirstUser(path, folder, log), false)

    const password = readFileSync(join(folder, 'admin-password'), 'utf8').trim()
    assert.match(password, /^[\w-]{24}$/)
    assert.equal(lines.length, 1)
    const login = new Login(await Users.open(path, [], log), log)
    assert.deepEqual(await login.check(basic('admin', password), ADDRESS), { user: 'admin', role: 'admin' })
  })
})
